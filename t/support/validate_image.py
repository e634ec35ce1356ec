#!/usr/bin/env python3
"""Judges Spur image files by the format's description alone: shares nothing with osvm.

    validate_image.py IMAGE...      one line a file: sound, or what is wrong; exit status
"""
import struct
import sys


class Bad(Exception):
    pass


def need(condition, sentence):
    if not condition:
        raise Bad(sentence)


class Image:
    def __init__(self, data):
        self.data = data
        self.read_header()
        self.read_objects()

    def read_header(self):
        data = self.data
        need(len(data) >= 4, "no magic number")
        for start in (0, 512):
            magic = struct.unpack_from("<I", data, start)[0] if len(data) >= start + 4 else 0
            if magic & ~0x200 in (6521, 68021):
                break
        else:
            raise Bad("no magic number")
        self.wide = magic & ~0x200 == 68021
        self.word = 8 if self.wide else 4
        need(len(data) >= start + 16 * self.word, "header cut off")
        self.letter = "Q" if self.wide else "I"
        size = struct.unpack_from("<I", data, start + 4)[0]
        fields = struct.unpack_from("<3" + self.letter, data, start + 8)
        self.bytes, self.base, self.specials = fields
        self.first = struct.unpack_from("<" + self.letter, data, start + (72 if self.wide else 48))[0]
        self.begin = start + size
        need(self.begin + self.bytes <= len(data), "objects cut off")
        need(self.first == self.bytes, "more than one segment: not judged")

    def words(self, at, count):
        return struct.unpack_from("<%d%s" % (count, self.letter), self.data, at)

    def read_objects(self):
        self.objects = {}
        self.order = []
        at, end = self.begin, self.begin + self.bytes - 16
        while at < end:
            need(end - at >= 16, "space left at the end")
            header = struct.unpack_from("<Q", self.data, at)[0]
            slots = header >> 56
            if slots == 255:
                slots = header & ((1 << 56) - 1)
                at += 8
                header = struct.unpack_from("<Q", self.data, at)[0]
                need(header >> 56 == 255, "overflow word without a header at %d" % at)
            body = max(8, (slots * self.word + 7) & ~7)
            need(at + 8 + body <= end, "object at %d too large" % at)
            oop = self.base + at - self.begin
            self.objects[oop] = (at, header & 0x3FFFFF, header >> 24 & 31, slots, header >> 32 & 0x3FFFFF)
            self.order.append(oop)
            at += 8 + body

    def slots(self, oop):
        at, _, _, count, _ = self.objects[oop]
        return self.words(at + 8, count)

    def is_small(self, word):
        return word & 7 == 1 if self.wide else word & 1

    def small(self, word):
        shift, bits = (3, 61) if self.wide else (1, 31)
        value = word >> shift
        return value - (1 << bits) if value >> (bits - 1) else value

    def references(self, oop):
        at, index, format, count, _ = self.objects[oop]
        if format <= 5:
            return self.words(at + 8, count)
        if format >= 24:
            header = self.words(at + 8, 1)[0] if count else 0
            need(self.is_small(header), "code at %d without header" % at)
            literals = self.small(header) & 0x7FFF
            need((literals + 1) * self.word < count * self.word - (format & 7),
                 "code at %d without bytecodes" % at)
            return self.words(at + 8, 1 + literals)[1:]
        return ()

    def is_object(self, word):
        return word & (7 if self.wide else 3) == 0

    def load_classes(self):
        nil, false, true, free, roots = self.order[:5]
        need(nil == self.base, "nil is not first")
        need(self.objects[roots][1:4] == (16, 2, 4104), "no hidden roots")
        self.nil, self.table = nil, []
        for page in self.slots(roots)[:4096]:
            if page == nil:
                break
            need(page in self.objects and self.objects[page][1:4] == (16, 2, 1024), "bad class page")
            self.table.extend(self.slots(page))
        need(len(self.table) >= 2048, "class table too small")

    def class_at(self, index):
        need(index < len(self.table) and self.table[index] != self.nil, "no class of index %d" % index)
        oop = self.table[index]
        need(oop in self.objects and self.objects[oop][2] <= 5 and self.objects[oop][3] >= 3,
             "index %d stands for no class" % index)
        slots = self.slots(oop)
        need(self.is_small(slots[2]), "class of index %d without a format" % index)
        return self.small(slots[2])

    def check_object(self, oop):
        at, index, format, slots, _ = self.objects[oop]
        if index <= 31:
            need(index in (0, 3, 8, 16, 17, 18, 19), "class index %d at %d" % (index, at))
            return
        valid = [0, 1, 2, 3, 4, 5] + list(range(9, 32)) if self.wide else \
            [0, 1, 2, 3, 4, 5, 9, 10, 12, 13] + list(range(16, 20)) + list(range(24, 28))
        need(format in valid, "format %d at %d" % (format, at))
        word = self.class_at(index)
        spec, fixed = word >> 16 & 31, word & 0xFFFF
        group = lambda f: 0 if f <= 5 else 2 if f >= 24 else 1
        need(spec != 7 and group(spec) == group(format), "kind of class and object differ at %d" % at)
        need(format > 5 or slots >= fixed, "too few slots at %d" % at)
        for word in self.references(oop):
            if self.is_object(word):
                need(word in self.objects and self.objects[word][1] > 31, "dangling reference at %d" % at)
            else:
                need(not self.wide or word & 7 in (1, 2, 4), "bad tag at %d" % at)

    def check_dictionaries(self):
        for oop in set(self.table):
            if oop == self.nil:
                continue
            dictionary = self.slots(oop)[1]
            if dictionary == self.nil:
                continue
            slots = self.slots(dictionary)
            capacity, methods = len(slots) - 2, self.slots(slots[1])
            need(capacity & (capacity - 1) == 0 and len(methods) >= capacity, "method dictionary")
            used = [i for i in range(capacity) if slots[2 + i] != self.nil]
            need(self.small(slots[0]) == len(used), "tally of a method dictionary")
            for i in used if capacity > 9 else ():
                probe = self.objects[slots[2 + i]][4] & (capacity - 1)
                while probe != i:
                    need(slots[2 + probe] != self.nil, "selector that lookup does not find")
                    probe = (probe + 1) & (capacity - 1)

    def check(self):
        self.load_classes()
        for oop in self.order:
            self.check_object(oop)
        need(self.specials in self.objects, "no special objects")
        specials = self.slots(self.specials)
        need(tuple(specials[:3]) == tuple(self.order[:3]), "nil, false, true")
        for index, special in ((51, 7), (32, 42), (33, 13), (34, 9), (36, 10)):
            need(self.table[index] == specials[special], "class of index %d" % index)
        scheduler = self.slots(specials[3])[1]
        process = self.slots(scheduler)[1]
        context = self.slots(process)[1]
        need(self.objects[context][1] == 36, "no context to resume")
        self.check_dictionaries()
        return len([o for o in self.order if self.objects[o][1]])


def main():
    status = 0
    for name in sys.argv[1:]:
        try:
            with open(name, "rb") as file:
                print("%s: sound: %d objects" % (name, Image(file.read()).check()))
        except (Bad, KeyError, struct.error, IndexError) as error:
            print("%s: %s" % (name, error))
            status = 1
    return status


sys.exit(main())
