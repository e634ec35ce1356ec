#!/usr/bin/env perl
# osvm bench gc: every workload in small, all formats. Times are not judged; counts are.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

my $small = '--eden=256K --live=1M --turnover=6 --runs=1 --heaps=3';

my @names = map { /^(\w+)/ ? $1 : () } `$osvm bench gc --list`;
cmp_ok(scalar @names, '>=', 8, 'at least eight workloads');

for my $bits (64, 32) {
    my ($head, @rows) = map { chomp; $_ } `$osvm bench gc --bits=$bits $small --format=csv compact sweep 2>&1`;
    is($?, 0, "$bits: all workloads ran");
    my @columns = split /,/, $head;
    my %seen;
    for (@rows) {
        my %row;
        @row{@columns} = split /,/;
        $row{collector} =~ s/"//g;
        next if $row{collector} eq 'none'; # the baseline
        $seen{"$row{workload} $row{collector}"} = 1;
        next unless $row{workload} && !$row{out_of_memory};
        my $name = "$bits: $row{workload}, $row{collector}";
        cmp_ok($row{allocated_bytes}, '>=', 4 << 20, "$name: as much was allocated as was ordered");
        is($row{pauses} > 0, 1, "$name: there were pauses");
        cmp_ok($row{pause_median_ms}, '<=', $row{pause_max_ms}, "$name: median and maximum");
        cmp_ok($row{gc_ms}, '<=', $row{total_ms}, "$name: collections are part of the total");
        cmp_ok($row{mmu_20ms}, '<=', 1, "$name: utilisation");
        cmp_ok($row{process_peak_bytes}, '>', $row{live_heap_bytes}, "$name: footprint from outside");
        is($row{moved_bytes}, 0, "$name: nothing moves") if $row{collector} eq 'sweep';
    }
    is(scalar(keys %seen), 2 * @names, "$bits: a row for each workload and collector");
}

my $json = `$osvm bench gc $small --workloads=trees,lists --format=json compact 2>&1`;
is($?, 0, 'JSON');
like($json, qr/^\[\n  \{"workload": "trees", .*"collector": "compact", "heap_factor": 3, .*"workload": "lists".*\}\n\]\n$/s,
     'an array of objects');
my $table = `$osvm bench gc $small --workloads=strings 2>&1`;
like($table, qr/^strings: .*least heap \d.*\(compact\)\n  collector .*\n(?:  none .*\n)?  compact .*\n  sweep .*\n$/m, 'a table');

for (['bench jit', 'something else'], ['bench gc --heaps=0.5', 'a factor below one'],
     ['bench gc --workloads=none', 'no such workload']) {
    my $said = `$osvm $_->[0] 2>&1`;
    is($? >> 8, 64, "$_->[1]: status");
}
my $said = `$osvm bench gc $small --workloads=trees nosuch 2>&1`;
is($? >> 8, 70, 'no such collector: status') or diag($said);
like($said, qr/there is no gc plugin 'nosuch'/, 'no such collector: reason');

done_testing();
