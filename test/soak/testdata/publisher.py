# Publishes numbered messages with QoS 1, a batch at a time, and prints the number
# of each that was acknowledged, until the connection ends.
import os
import sys
import threading
import time

import paho.mqtt.client as mqtt

port, first, batch = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
every = float(sys.argv[4])
numbers, lock, acked = {}, threading.Lock(), threading.Semaphore(0)


def on_publish(client, userdata, mid):
    with lock:
        print(numbers.pop(mid), flush=True)
    acked.release()


def on_disconnect(client, userdata, rc):
    os._exit(1)


client = mqtt.Client("paho-py", clean_session=True)
client.on_publish, client.on_disconnect = on_publish, on_disconnect
client.connect("127.0.0.1", port)
client.loop_start()
n = first
while True:
    for i in range(n, n + batch):
        with lock:
            info = client.publish("soak/paho-py", "paho-py %d %040d" % (i, 0), qos=1)
            numbers[info.mid] = i
    for i in range(batch):
        if not acked.acquire(timeout=5):
            os._exit(1)
    n += batch
    time.sleep(every)
