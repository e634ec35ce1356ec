#!/usr/bin/env perl
# --deterministic: clocks, timers and random numbers are the program's own. Two runs say the same and save the
# same image, and the thread of the program never asks the host for the time or for chance.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use Test::More;
use lib 't/support';
use OsvmTest;

sub digest {
    my ($path) = @_;
    return sha256_hex(read_file($path) // return "no $path");
}

my $program = write_file('program.st', <<'END');
| out order lock late processes |
out := Stdio stdout.
order := OrderedCollection new.
lock := Mutex new.
processes := (1 to: 5) collect: [ :each | | done |
	done := Semaphore new.
	[ 1 to: 20 do: [ :i |
		(Delay forMicroseconds: each * 37 + i) wait.
		lock critical: [ order add: each ].
		(1 to: 200) do: [ :j | j printString ] ].
	  done signal ] forkAt: Processor userBackgroundPriority + (each \\ 3).
	done ].
processes do: [ :each | each wait ].
out print: order asArray; lf.
out print: (Time microsecondsToRun: [ (Delay forSeconds: 86400) wait ]) // 1000000; lf.
out print: Time microsecondClock; lf; print: DateAndTime now; lf.
out print: UUID new; lf; print: Random new next; lf; print: (SecureRandom new nextBytes: 5); lf.
out print: ((1 to: 10) collect: [ :i | Object new identityHash ]); lf.
late := 0.
[ [ late := late + 1. (Delay forMilliseconds: 2) wait ] repeat ] forkAt: Processor userInterruptPriority.
1 to: 300000 do: [ :i | i printString ].
out print: late; lf; flush.
Smalltalk at: #Order put: order.
Smalltalk saveAs: (CommandLine arguments at: 1)
END

# A library that ends the process when its first thread asks for time or chance.
my $guard = write_file('guard.c', <<'END');
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>
#include <sys/random.h>
static void check(void) { if (getenv("GUARD") && syscall(SYS_gettid) == getpid()) { write(2, "asked\n", 6); _exit(99); } }
int clock_gettime(clockid_t id, struct timespec *time) { check(); return syscall(SYS_clock_gettime, id, time); }
int gettimeofday(struct timeval *time, void *zone) { check(); return syscall(SYS_gettimeofday, time, zone); }
time_t time(time_t *where) { check(); return syscall(SYS_time, where); }
ssize_t getrandom(void *buffer, size_t size, unsigned flags) { check(); return syscall(SYS_getrandom, buffer, size, flags); }
END
my $cc = $ENV{CC} || 'cc';
my $has_guard = !sanitizers() && system("$cc -shared -fPIC -w -o $dir/guard.so $guard 2> /dev/null") == 0;
my $preload = $has_guard ? "LD_PRELOAD=$dir/guard.so GUARD=1" : '';

my ($has_jit, $has_sim) = (has_plugin(jit => 'x64'), has_plugin(cpu => 'sim'));
for my $bits (64, 32) {
    my @ways = ('', '--check', '--gc=sweep');
    my $hot = '--jit=x64,threshold=1,loop-threshold=1';
    push @ways, '--jit=x64,threshold=2', "$hot --code-zone=48K", "$hot --torture=deopt:3", ($has_sim ? "$hot --cpu=sim" : ())
        if $has_jit && $bits == 64;
    my $first;
    for my $way (@ways) {
        my $name = "w$bits" . ($way ? "/$way" : '');
        my (@said, @images);
        for my $run (1, 2) {
            unlink "$dir/saved.image";
            my $with = $way =~ /sim/ ? '' : $preload; # the simulator's library asks for the time
            push @said, scalar `$with timeout 1800 $osvm --deterministic $way --bits=$bits $program $dir/saved.image 2>&1`;
            push @images, digest("$dir/saved.image");
        }
        like($said[0], qr/\n86400\n/, "$name: runs, and a day of waiting takes no time") or diag($said[0]);
        is($said[1], $said[0], "$name: two runs say the same");
        like($images[0], qr/^[0-9a-f]{64}$/, "$name: an image was saved");
        is($images[1], $images[0], "$name: ... the same one");
        $first //= $said[0];
        is($said[0], $first, "$name: every variant says the same");
    }
}
SKIP: {
    skip 'no guard beside sanitizers', 2 unless $has_guard;
    is(system("$preload $osvm -e '3 + 4' > /dev/null 2>&1") >> 8, 99, 'the guard sees who asks');
    is(`$preload $osvm --deterministic -e '(Delay forSeconds: 1) wait. 3 + 4' 2>&1`, "7\n", '... and nobody does here');
}
like(`timeout 1800 $osvm --deterministic test SocketTest 2>&1`, qr/ 0 failed, 0 errors/, 'what is watched outside takes real time');
is(`TZ=Pacific/Auckland $osvm --deterministic -e 'DateAndTime now offset asSeconds' 2>&1`, "0\n", 'time is UTC');
my @worlds = map { scalar `$osvm --deterministic --world=$_ -e 'UUID new printString, Time microsecondClock printString' 2>&1` }
    qw(live denied muted);
is($worlds[1], $worlds[0], 'a denied world has the same clock and numbers');
is($worlds[2], '', '... and a muted one says nothing');
done_testing();
