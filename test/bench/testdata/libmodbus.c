/* The process of libmodbus in the benchmarks: it reads and checks as child.go
 * does. Arguments: path parity baud databits stopbits units registers timeout/ms
 * exchanges span/ms */
#include <modbus/modbus.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static double processor_time(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static uint16_t value(int unit, uint16_t address)
{
	return (uint16_t)(unit * 257) ^ (uint16_t)(address * 40503u);
}

static int right(const uint16_t *words, int unit, uint16_t address, int registers)
{
	for (int i = 0; i < registers; i++)
		if (words[i] != value(unit, address + i))
			return 0;
	return 1;
}

static int shorter(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	if (argc != 11)
		return 2;
	int units = atoi(argv[6]), registers = atoi(argv[7]), timeout = atoi(argv[8]);
	int exchanges = atoi(argv[9]), good = 0, failed = 0, wrong = 0;
	double span = atoi(argv[10]) / 1e3;
	static double took[100000];
	const int most = sizeof took / sizeof *took;
	uint16_t words[MODBUS_MAX_READ_REGISTERS];

	modbus_t *m = modbus_new_rtu(argv[1], atoi(argv[3]), argv[2][0], atoi(argv[4]), atoi(argv[5]));
	if (m == NULL)
		return 1;
	modbus_set_response_timeout(m, timeout / 1000, timeout % 1000 * 1000);
	if (modbus_connect(m)) {
		perror("connect");
		return 1;
	}
	modbus_set_slave(m, 1);
	modbus_read_registers(m, 0, registers, words);

	double cpu = processor_time(), start = seconds(), last = start;
	int i;
	for (i = 0; i < most && (i < exchanges || (exchanges == 0 && last - start < span)); i++) {
		int unit = 1 + i % units;
		uint16_t address = i / units % 50 * 200;
		modbus_set_slave(m, unit);
		if (modbus_read_registers(m, address, registers, words) != registers)
			failed++;
		else if (!right(words, unit, address, registers))
			wrong++;
		else
			good++;
		took[i] = seconds() - last;
		last += took[i];
	}
	cpu = processor_time() - cpu;
	qsort(took, i, sizeof *took, shorter);
	printf("{\"Good\":%d,\"Failed\":%d,\"Wrong\":%d,\"Seconds\":%.6f,\"Typical\":%.6f,\"CPU\":%.6f}\n",
	       good, failed, wrong, last - start, took[i / 2], cpu);
	modbus_close(m);
	modbus_free(m);
	return 0;
}
