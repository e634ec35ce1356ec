#!/usr/bin/env perl
# osvm verify-gc: our collectors pass, a broken one is told what is broken, and what is no
# collector is refused. --gc-log.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Copy;
use File::Path qw(make_path);
use Test::More;
use lib 't/support';
use OsvmTest;

my $cc = $ENV{CC} || 'cc';
my $root = abs_path('.');
my $events = $ENV{OSVM_TEST_LONG} ? 300000 : 20000;

my $none = `$osvm verify-gc --events=$events $build/lib/osvm/64/gc-none.so 2>&1`;
is($? >> 8, 0, 'one that never collects is a collector');
like($none, qr/^not     dead objects are reclaimed\n\s+it refuses every collection/m, 'what it does not do is said');
like($none, qr/^nothing is broken; what it does not do by its nature: 1 tests$/m, 'at the end too');

for my $bits (64, 32) {
    for my $file (sort glob "$build/lib/osvm/$bits/gc-*.so") {
        next if $file =~ /gc-(shim|none)/;
        my $output = `$osvm verify-gc --events=$events $file 2>&1`;
        is($? >> 8, 0, "$bits: " . ($file =~ m,([^/]*)$,)[0] . ' is sound') or diag($output);
        like($output, qr/nothing is broken\n$/, 'and says so');
    }
}

# gc-sweep with a planted fault, as a third party's plugin would be built.
make_path("$dir/plugins/gc", "$dir/plugins/gc-sweep");
copy($_, "$dir/$_") for glob('plugins/gc/*.[ch] plugins/gc-sweep/*.[ch]');
is(system("cd $dir && git apply -C1 $root/t/faults/sweep-live-end.patch"), 0, 'a fault is planted');
is(system("$cc -std=gnu11 -O1 -w -fPIC -shared -fvisibility=hidden -fno-strict-aliasing -pthread "
        . "-DNDEBUG -DWORD_BITS=64 -D_GNU_SOURCE -DOSVM_VERSION='\"0.1\"' -I$dir -Iinclude -I. "
        . "-o $dir/gc-sweep.so $dir/plugins/gc/*.c $dir/plugins/gc-sweep/*.c -lm"), 0, 'the plugin is built');
my $output = `$osvm verify-gc --events=200000 $dir/gc-sweep.so 2>&1`;
is($? >> 8, 1, 'a broken collector: status');
like($output, qr/^BROKEN  random events against the model, after \d+ events\n\s+(model|leak check|crash|check): /m,
     'what is broken');
like($output, qr/The least sequence that shows it/, 'with a sequence');
like($output, qr/\d of these are broken\n$/, 'and how many tests');

$output = `$osvm verify-gc $dir/none.so 2>&1`;
is($? >> 8, 66, 'no such file: status');
$output = `$osvm verify-gc $build/lib/osvm/64/mm-spur.so 2>&1`;
is($? >> 8, 69, 'another kind of plugin: status');
like($output, qr/it is no collector/, 'another kind of plugin: reason');
$output = `$osvm verify-gc README.md 2>&1`;
is($? >> 8, 69, 'no plugin at all: status');

# The log of collections.
system("$osvm --eden=256K --gc-log=$dir/gc.log -e '1 to: 20000 do: [:i | i printString]' >/dev/null 2>&1");
open my $log, '<', "$dir/gc.log" or die;
my @lines = <$log>;
cmp_ok(scalar @lines, '>', 0, 'collections were logged');
my @bad = grep { !/^\{"event":"(scavenge|full)","at_us":\d+,"pause_us":\d+,"phases":\{"scavenge_us":\d+[^}]*\}(,"\w+":\d+)+\}$/ } @lines;
is(scalar @bad, 0, 'each line is an object with phases') or diag($bad[0]);
$output = `$osvm --gc-log=$dir/none/gc.log -e 1 2>&1`;
is($? >> 8, 73, 'a log that cannot be written: status');

done_testing();
