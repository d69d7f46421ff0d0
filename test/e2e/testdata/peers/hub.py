"""A line with several taps: what one virtual port sends, all others receive.

usage: hub.py PATH...
"""
import os
import select
import sys
import tty

taps = []
for path in sys.argv[1:]:
    master, slave = os.openpty()
    tty.setraw(slave)  # and kept open, or the master would see an end
    os.symlink(os.ttyname(slave), path)
    taps.append(master)

while True:
    for tap in select.select(taps, [], [])[0]:
        data = os.read(tap, 4096)
        for other in taps:
            if other != tap:
                os.write(other, data)
