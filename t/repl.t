#!/usr/bin/env python3
"""The prompt, driven through a pseudo-terminal as a user would."""
import os
import pty
import re
import select
import signal
import sys
import tempfile
import time

OSVM = os.environ["OSVM"]
PATIENCE = 600  # seconds until a silent prompt counts as a failure; nothing waits for it otherwise
CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|[\x01\r\x07]")


class Session:
    """One osvm at a terminal of its own."""

    def __init__(self, history, *arguments, term="xterm"):
        self.text = ""
        self.pid, self.file = pty.fork()
        if self.pid == 0:
            # libedit and libtinfo keep what they know of terminals until the process ends.
            os.environ.update(TERM=term, OSVM_HISTORY=history, NO_COLOR="1", COLUMNS="80", LINES="24",
                              ASAN_OPTIONS="detect_leaks=0")
            os.execv(OSVM, [OSVM, *arguments])

    def expect(self, pattern):
        """Reads until the pattern has appeared; what was before and in it is forgotten."""
        deadline = time.monotonic() + PATIENCE
        while True:
            found = re.search(pattern, self.text, re.S)
            if found:
                self.text = self.text[found.end():]
                return True
            if time.monotonic() > deadline or not self.read(deadline - time.monotonic()):
                sys.stdout.write("".join(f"# {line}\n" for line in self.text.splitlines()))
                return False

    def read(self, seconds):
        if not select.select([self.file], [], [], max(seconds, 0))[0]:
            return False
        try:
            data = os.read(self.file, 65536)
        except OSError:
            data = b""
        self.text += CODES.sub("", data.decode(errors="replace"))
        return bool(data)

    def send(self, text):
        os.write(self.file, text.encode())

    def enter(self, text):
        self.send(text + "\r")

    def status(self):
        """Waits for the end; the exit status."""
        while self.read(PATIENCE):
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


tests = 0


def ok(passed, name):
    global tests
    tests += 1
    print(f"{'ok' if passed else 'not ok'} {tests} - {name}", flush=True)


def answers(session, source, pattern, name):
    """An input, and what is to appear before the next prompt."""
    session.enter(source)
    ok(session.expect(pattern) and session.expect(r"> $"), name)


with tempfile.TemporaryDirectory() as folder:
    history = os.path.join(folder, "history")
    session = Session(history)
    ok(session.expect(r":help.*\n> $"), "it says how to get help, and prompts")
    answers(session, "3 + 4", r"\n7\n", "an expression")
    answers(session, "it * 6", r"\n42\n", "the last result")
    answers(session, "x := OrderedCollection new", r"OrderedCollection", "a variable is made by assigning to it")
    answers(session, "x add: 3; add: 4; yourself", r"\(3 4 ?\)", "... and stays")
    session.enter("#(1 2 3) inject: 0 into: [ :a :b |")
    ok(session.expect(r"\n\. $"), "an open bracket goes on in the next line")
    answers(session, "a + b ]", r"\n6\n", "... until it is closed")
    answers(session, "'Grüße' size", r"\n5\n", "text is UTF-8")
    answers(session, "'Grüße' , 'n'", r"'Grüßen'", "... in results as well")
    answers(session, "3 + ) 4", r"\^.*\n", "an error in the syntax shows its place")
    answers(session, "nosuchthing", r"not declared", "an undeclared name")
    answers(session, "3 zork", r"zork.*SmallInteger", "a message that is not understood, and the stack")
    session.enter(":debug")
    ok(session.expect(r"1: .*debug 1> $"), ":debug lists the activations")
    answers(session, "self", r"\nnil\n", "an expression in an activation")
    answers(session, ":return 99", r"\n99\n", "an activation answers what it is told to")
    answers(session, "3 / 0", r"ZeroDivide", "an error of another kind")
    answers(session, "[ :each | | sum | sum := each + 1. sum zork ] value: 41", r"zork", "an error in a block")
    session.enter(":debug")
    ok(session.expect(r"> 1: \[\].*debug 1> $"), ":debug again")
    session.enter(":vars")
    ok(session.expect(r"each = 41\n.*sum = 42\n.*debug 1> $"), ":vars knows the names of temporaries")
    session.enter("sum := 50. each + sum")
    ok(session.expect(r"\n91\n.*debug 1> $"), "... which expressions can use and change")
    session.enter(":vars")
    ok(session.expect(r"sum = 50\n.*debug 1> $"), "... for good")
    session.enter(":up")
    ok(session.expect(r"2: .*debug 2> $"), ":up")
    answers(session, ":proceed 7", r"\n7\n", ":proceed gives the failed message an answer")
    answers(session, "y := 0. [ :n | | m | m ifNil: [ m := n ]. (y := y + m) zork ] value: 20", r"zork", "an error to begin again")
    answers(session, ":debug", r"debug 1", ":debug once more")
    answers(session, ":restart", r"SmallInteger does not understand #zork", ":restart comes to the same error")
    answers(session, "y", r"\n40\n", "... with fresh temporaries")
    session.enter("Stdio stdout nextPutAll: 'be', 'gun'; flush. [ true ] whileTrue")
    begun = session.expect(r"begun")
    session.send("\x03")
    ok(begun and session.expect(r"Interrupt.*> $"), "Ctrl-C stops an evaluation")
    session.send("4 + ")
    session.send("\x03")
    ok(session.expect(r"\^C\n> $"), "Ctrl-C drops a line")
    session.send("OrderedColl\t")
    ok(session.expect(r"OrderedCollection"), "a global is completed")
    session.enter("name")
    ok(session.expect(r"OrderedCollection'?\n> $"), "... and used")
    session.send("3 between\t")
    ok(session.expect(r"3 between:and:"), "a selector is completed")
    session.send("\x15")
    answers(session, ":senders printOn:", r"printString", ":senders")
    answers(session, ":implementors factorial", r"Integer>>factorial", ":implementors")
    answers(session, ":browse Association", r"Association.*key.*value", ":browse")
    answers(session, ":time 10 factorial", r"3628800\n.*ms\n", ":time")
    answers(session, ":nonsense", r":help", "a command that does not exist")
    session.send("\x1b[A\x1b[A\r")
    ok(session.expect(r"3628800\n"), "arrow keys go back in the history")
    session.enter(":quit")
    ok(session.status() == 0, ":quit ends it")

    session = Session(history)
    session.expect(r"> $")
    session.send("\x1b[A\x1b[A")
    ok(session.expect(r":time 10 factorial"), "the history is kept for the next time")
    session.send("\x15\x04")
    ok(session.status() == 0, "Ctrl-D ends it")

print(f"1..{tests}")
