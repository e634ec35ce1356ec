#!/usr/bin/env python3
"""Rewrites an image of one segment as one of two, the second at a distance, as VMs with several segments of
memory save them: split_image.py IN OUT GAP"""
import struct
import sys

data = open(sys.argv[1], 'rb').read()
gap = int(sys.argv[3])
bits64 = struct.unpack_from('<I', data)[0] & ~0x200 == 68021
word, code, tags, shift = (8, 'Q', 7, 3) if bits64 else (4, 'I', 3, 1)
header = 128 if bits64 else 64
at_size, at_base, at_special, at_first = (8, 16, 24, 72) if bits64 else (8, 12, 16, 48)


def number(where, offset):
    return struct.unpack_from('<' + code, where, offset)[0]


base = number(data, at_base)
heap = bytearray(data[header:-16])

# Walk: where objects begin, where their fields are.
objects, pos = [], 0
while pos < len(heap):
    start, first = pos, struct.unpack_from('<Q', heap, pos)[0]
    slots = first >> 56
    if slots == 255:
        slots = first & 0xFFFFFFFFFFFFFF if bits64 else first & 0xFFFFFFFF
        pos += 8
    fields, form = pos + 8, struct.unpack_from('<Q', heap, pos)[0] >> 24 & 31
    objects.append((start, fields, slots, form))
    pos = fields + max(8, (slots * word + 7) // 8 * 8)
cut = next(start for start, *rest in objects if start > len(heap) // 2)
distance = 16 + gap


def moved(oop):
    return oop + distance if oop & tags == 0 and oop >= base + cut else oop


for start, fields, slots, form in objects:
    if form <= 5:
        pointers = range(slots)
    elif form >= 24:
        pointers = range(1, 1 + (number(heap, fields) >> shift & 0x7FFF))
    else:
        continue
    for i in pointers:
        struct.pack_into('<' + code, heap, fields + i * word, moved(number(heap, fields + i * word)))
pier = 0xFF << 56 | gap // word if gap else 0x0080000049000003 if bits64 else 0x008000004A000003
head = bytearray(data[:header])
struct.pack_into('<' + code, head, at_size, len(heap) + 32)
struct.pack_into('<' + code, head, at_first, cut + 16)
struct.pack_into('<' + code, head, at_special, moved(number(data, at_special)))
with open(sys.argv[2], 'wb') as out:
    out.write(head + heap[:cut] + struct.pack('<QQ', pier, len(heap) - cut + 16) + heap[cut:] + data[-16:])
