/* A foreign Modbus slave with all four tables: libmodbus.
 *
 * usage: tables PORT
 *
 * PORT is a terminal at 19200 8N1, or a TCP port on loopback. Unit 9 holds what
 * foreign_test.go says.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <modbus/modbus.h>

enum { BITS = 2000, REGISTERS = 200, UNIT = 9 };

static modbus_mapping_t *content(void)
{
	modbus_mapping_t *m = modbus_mapping_new(BITS, BITS, REGISTERS, REGISTERS);

	if (m == NULL)
		return NULL;
	for (int n = 0; n < BITS; n++) {
		m->tab_bits[n] = n % 3 == 0;
		m->tab_input_bits[n] = n % 2 == 1;
	}
	for (int n = 0; n < REGISTERS; n++) {
		m->tab_input_registers[n] = 1000 + n;
		m->tab_registers[n] = 2000 + n;
	}
	return m;
}

static void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, modbus_strerror(errno));
	exit(1);
}

/* serve answers until the master is gone. Timeouts and damaged frames are none of
 * its business. */
static void serve(modbus_t *bus, modbus_mapping_t *m)
{
	uint8_t request[MODBUS_TCP_MAX_ADU_LENGTH];

	for (;;) {
		int n = modbus_receive(bus, request);

		if (n > 0)
			modbus_reply(bus, request, n, m);
		else if (n < 0 && (errno == ECONNRESET || errno == EIO || errno == ENXIO))
			return;
	}
}

int main(int argc, char **argv)
{
	modbus_mapping_t *m = content();
	modbus_t *bus;

	if (argc != 2 || m == NULL)
		return 2;
	if (strchr(argv[1], '/') != NULL) {
		bus = modbus_new_rtu(argv[1], 19200, 'N', 8, 1);
		if (bus == NULL || modbus_set_slave(bus, UNIT) != 0 || modbus_connect(bus) != 0)
			fail(argv[1]);
		serve(bus, m);
		return 0;
	}
	bus = modbus_new_tcp("127.0.0.1", atoi(argv[1]));
	if (bus == NULL)
		fail(argv[1]);
	for (int listener = modbus_tcp_listen(bus, 1); modbus_tcp_accept(bus, &listener) >= 0; modbus_close(bus))
		serve(bus, m);
	fail(argv[1]);
}
