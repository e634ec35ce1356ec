#!/usr/bin/env perl
# Control primitives by number: suspending in its three kinds, critical sections, timers, yielding,
# read-only receivers, returns through many frames, to dead ones and to none, what the VM sends of itself. What is
# printed is what OpenSmalltalk's stack interpreter (VMMaker.oscog 3185, March 2023) printed on the same image.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

my @expected = split /\n/, <<'TEXT';
priorities: higher me still lower end
yielding: 0 1 2 3 4
excess: 2 1 0 got 0
suspendRunning: before me nil after end
suspendReady: LinkedList nil quiet ran
suspendWaiting: waits true true nil passed resumed signalled 1
suspendWaiting1: waits true true nil resumed passed signalled 0
suspendWaiting2: waits false true nil resumed passed signalled 0
suspendDead: failed failed failed
mutexFree: false true true nil
mutexOwned: tries mine false in out nil
mutexHandedOn: 1 2 nil nil
mutexTested: false true nil false nil
timer: true true
timerPast: passed true failed true
readOnly: false (attemptToAssign 7 3 ) true nil 8 false failed failed
nonLocal: 1 2 3 found 1 2 3 4 missing
arity: failed failed failed 4
performing: 1 2 found 1
deepUnwind: out
cutNear: true cut true 6
cutFar: true cut true 501
cutSingle: true cut true 6
cutNothing: kept
cutLoop: 20000
cutOther: true passed end
returnDead: 45450 9
returnForeign: cannotReturn home
returnCut: 45150
returnCutDead: 45150 true
notBoolean: 300 notBoolean
notUnderstood: 45150 unknown:with: (3 4 ) true
TEXT

for my $bits (64, 32) {
    is(system($osvm, 'build', "--bits=$bits", '--start=ControlProgram run', '-o', "$dir/t.image", 'image',
        't/control/Control'), 0, "w$bits: built");
    for my $options ('', '--jit=none', '--check') {
        my @lines = split /\n/, `$osvm $options $dir/t.image 2>&1`;
        is($? >> 8, 0, "w$bits$options: ends normally");
        is($lines[$_], $expected[$_], "w$bits$options: " . $expected[$_] =~ s/:.*//r) for 0 .. $#expected;
    }
}
done_testing();
