# A client of the LAN broker on Eclipse Paho for Python; see lan_test.go.
import os
import ssl
import sys
import threading
import urllib.parse

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

env = {k: os.environ["LAN_" + k] for k in "URL VERSION ID CLEAN USER PASSWORD CA FILTERS WILL".split()}
url = urllib.parse.urlparse(env["URL"])
v5 = env["VERSION"] == "5"
says = threading.Lock()
published = threading.Event()


def say(*words):
    with says:
        print(*words, flush=True)


def number(code):
    return code.value if hasattr(code, "value") else code


def end(*words):
    say(*words)
    os._exit(0)


def on_connect(client, userdata, flags, rc, properties=None):
    if number(rc) != 0:
        end("refused", number(rc))
    say("connected", flags["session present"])
    filters = env["FILTERS"].split(",")
    if v5:
        client.subscribe([(f, SubscribeOptions(qos=2)) for f in filters])
    else:
        client.subscribe([(f, 2) for f in filters])


def on_subscribe(client, userdata, mid, granted, properties=None):
    say("subscribed", ",".join(str(number(g)) for g in granted))


def on_message(client, userdata, m):
    say("message", m.topic, m.qos, int(m.retain), m.payload.decode())


def on_disconnect(client, userdata, rc, properties=None):
    if number(rc) != 0:
        end("lost")


class Client(mqtt.Client):
    """Tells the reason code of PUBACK, which version 1.6 keeps to itself."""

    def _handle_pubackcomp(self, cmd):
        body = self._in_packet["packet"]
        self.code = body[2] if v5 and len(body) > 2 else 0
        return super()._handle_pubackcomp(cmd)


transport = "websockets" if url.scheme.startswith("ws") else "tcp"
session = {} if v5 else {"clean_session": env["CLEAN"] == "1"}
c = Client(env["ID"], protocol=mqtt.MQTTv5 if v5 else mqtt.MQTTv311, transport=transport, **session)
c.username_pw_set(env["USER"], env["PASSWORD"])
if env["CA"]:
    c.tls_set(env["CA"], tls_version=ssl.PROTOCOL_TLS_CLIENT)
if env["WILL"]:
    c.will_set(env["WILL"], "gone", qos=1)
c.code = 0
c.on_connect, c.on_subscribe, c.on_message, c.on_disconnect = on_connect, on_subscribe, on_message, on_disconnect
c.on_publish = lambda *_: published.set()
start = {}
if v5:
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 0 if env["CLEAN"] == "1" else 3600
    start = {"clean_start": env["CLEAN"] == "1", "properties": properties}
try:
    c.connect(url.hostname, url.port, **start)
except ssl.SSLError:
    end("refused", "?")
c.loop_start()
for line in sys.stdin:
    _, topic, qos, retain, payload = line.split()
    published.clear()
    c.code = 0
    c.publish(topic, payload, int(qos), retain == "1")
    published.wait()
    say("published", c.code)
c.disconnect()
c.loop_stop()
