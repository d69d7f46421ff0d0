// A client of the LAN broker on Eclipse Paho for C; see lan_test.go.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <MQTTClient.h>

static void end(const char *word, const char *code) {
	printf("%s %s\n", word, code);
	fflush(stdout);
	_exit(0);
}

static void refused(int code) {
	char text[16] = "?"; // no CONNACK came
	if (code > 0) snprintf(text, sizeof text, "%d", code);
	end("refused", text);
}

static int arrived(void *context, char *topic, int length, MQTTClient_message *m) {
	printf("message %s %d %d %.*s\n", topic, m->qos, m->retained, m->payloadlen, (char *)m->payload);
	fflush(stdout);
	MQTTClient_freeMessage(&m);
	MQTTClient_free(topic);
	return 1;
}

static void lost(void *context, char *cause) { end("lost", ""); }

static void published(void *context, int token, int type, MQTTProperties *properties, enum MQTTReasonCodes code) {
	printf("published %d\n", code);
	fflush(stdout);
}

// address translates the scheme of a URL into that of the library.
static char *address(const char *url) {
	static char text[200];
	const char *scheme = strncmp(url, "mqtts:", 6) == 0 ? "ssl" : strncmp(url, "mqtt:", 5) == 0 ? "tcp" : NULL;
	if (scheme == NULL) return strcpy(text, url);
	snprintf(text, sizeof text, "%s%s", scheme, strchr(url, ':'));
	return text;
}

int main(void) {
	int v5 = strcmp(getenv("LAN_VERSION"), "5") == 0, clean = strcmp(getenv("LAN_CLEAN"), "1") == 0;
	MQTTClient c;
	MQTTClient_createOptions create = MQTTClient_createOptions_initializer;
	create.MQTTVersion = v5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
	if (MQTTClient_createWithOptions(&c, address(getenv("LAN_URL")), getenv("LAN_ID"), MQTTCLIENT_PERSISTENCE_NONE, NULL, &create)) return 1;
	MQTTClient_setCallbacks(c, NULL, lost, arrived, NULL);
	if (v5) MQTTClient_setPublished(c, NULL, published);

	MQTTClient_SSLOptions tls = MQTTClient_SSLOptions_initializer;
	MQTTClient_willOptions will = MQTTClient_willOptions_initializer;
	MQTTClient_connectOptions options = MQTTClient_connectOptions_initializer;
	MQTTClient_connectOptions options5 = MQTTClient_connectOptions_initializer5;
	MQTTClient_connectOptions *o = v5 ? &options5 : &options;
	o->username = getenv("LAN_USER");
	o->password = getenv("LAN_PASSWORD");
	o->cleansession = v5 ? 0 : clean;
	o->cleanstart = v5 ? clean : 0;
	o->MQTTVersion = create.MQTTVersion;
	if (*getenv("LAN_CA")) {
		tls.trustStore = getenv("LAN_CA");
		tls.verify = 1;
		o->ssl = &tls;
	}
	if (*getenv("LAN_WILL")) {
		will.topicName = getenv("LAN_WILL");
		will.message = "gone";
		will.qos = 1;
		o->will = &will;
	}

	const char *present = "?"; // version 1.3 does not tell of MQTT 5
	int code;
	if (v5) {
		MQTTProperties properties = MQTTProperties_initializer;
		MQTTProperty expiry = {.identifier = MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL, .value.integer4 = clean ? 0 : 3600};
		MQTTProperties_add(&properties, &expiry);
		MQTTResponse r = MQTTClient_connect5(c, o, &properties, NULL);
		code = r.reasonCode;
	} else {
		code = MQTTClient_connect(c, o);
		present = o->returned.sessionPresent ? "1" : "0";
	}
	if (code) refused(code);
	printf("connected %s\n", present);

	char *filters[2] = {strtok(getenv("LAN_FILTERS"), ","), strtok(NULL, ",")};
	int n = filters[1] ? 2 : 1, qos[2] = {2, 2};
	if (v5) {
		MQTTResponse r = MQTTClient_subscribeMany5(c, n, filters, qos, NULL, NULL);
		for (int i = 0; i < n; i++) qos[i] = r.reasonCodes ? (int)r.reasonCodes[i] : (int)r.reasonCode;
	} else {
		MQTTClient_subscribeMany(c, n, filters, qos);
	}
	printf("subscribed %d", qos[0]);
	if (n > 1) printf(",%d", qos[1]);
	printf("\n");
	fflush(stdout);

	char topic[200], payload[200];
	int q, retain;
	while (scanf("%*s %199s %d %d %199s", topic, &q, &retain, payload) == 4) {
		MQTTClient_message m = MQTTClient_message_initializer;
		m.payload = payload;
		m.payloadlen = strlen(payload);
		m.qos = q;
		m.retained = retain;
		MQTTClient_deliveryToken token = 0;
		if (v5) {
			MQTTClient_publishMessage5(c, topic, &m, &token);
			if (q > 0) continue; // the callback reports it
		} else {
			MQTTClient_publishMessage(c, topic, &m, &token);
			if (q > 0 && MQTTClient_waitForCompletion(c, token, 30000)) continue; // lost
		}
		printf("published 0\n");
		fflush(stdout);
	}
	MQTTClient_disconnect(c, 1000);
	return 0;
}
