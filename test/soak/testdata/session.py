"""A client with a persistent session that comes back whenever its connection ends.

session.py publish PORT NAME QOS    publishes ten messages every half second, numbered
                                    from 1, and prints each number when it is acknowledged
session.py subscribe PORT NAME      prints what comes
session.py enrol PORT NAME          subscribes and leaves

It goes on until its standard input ends, a publisher until all is acknowledged.
"""

import sys
import threading
import time

import paho.mqtt.client as mqtt

role, port, name = sys.argv[1], int(sys.argv[2]), sys.argv[3]
ending = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ending.set()), daemon=True).start()
numbers, early, subscribed, present = {}, set(), False, False


def connected(c, _, flags, rc):
    global present
    present = rc == 0
    if role != "publish" and rc == 0 and not (subscribed and flags["session present"]):
        c.subscribe("soak/#", 2)


def suback(c, *_):
    global subscribed
    subscribed = True
    if role == "enrol":
        c.disconnect()


def published(_c, _u, mid):
    if mid in numbers:
        print(numbers.pop(mid), flush=True)
    else:
        early.add(mid)


def message(_c, _u, m):
    print(m.topic, m.payload.decode(), flush=True)


c = mqtt.Client(name, clean_session=False)
c.on_connect, c.on_subscribe, c.on_publish, c.on_message = connected, suback, published, message
c.max_inflight_messages_set(20)
number, due = 0, time.monotonic()
up = False
while not (ending.is_set() and not numbers):
    if not up:
        # paho 1.6 forgets in a second attempt that PUBREL was what to send again.
        for m in c._out_messages.values():
            if m.state == mqtt.mqtt_ms_resend_pubrel:
                m.state = mqtt.mqtt_ms_wait_for_pubcomp
        try:
            present = False
            c.connect("127.0.0.1", port, 60)
            up = True
        except OSError:
            time.sleep(0.05)
            continue
    if role == "publish" and present and not ending.is_set() and len(numbers) < 20 and time.monotonic() >= due:
        due = time.monotonic() + 0.5
        for _ in range(10):
            number += 1
            mid = c.publish("soak/" + name, str(number), int(sys.argv[4])).mid
            if mid in early:
                early.remove(mid)
                print(number, flush=True)
            else:
                numbers[mid] = number
    if c.loop(0.05) != mqtt.MQTT_ERR_SUCCESS:
        up = False
        if role == "enrol" and subscribed:
            break
