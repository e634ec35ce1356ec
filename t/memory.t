#!/usr/bin/env perl
# Programs that use up all memory, in one way each, and go on: by a low space threshold, and by the
# VM's own reserve alone. Without anybody who listens they end with a report.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

my @programs = qw(recursion recursionOfBlocks arrays closures contexts floats points messages recursion arrays);

sub build {
    my ($bits, $start) = @_;
    is(system($osvm, 'build', "--bits=$bits", "--start=$start", '-o', "$dir/t.image", 'image', 't/control/Control'), 0,
        "w$bits: built: $start");
    return "$dir/t.image";
}

for my $bits (64, 32) {
    my $least = $bits == 64 ? 5 : 10; # arrays that fit, besides an image that grows
    for my $threshold ($bits == 64 ? (1000000, 0) : 0) {
        my $image = build($bits, "MemoryProgram runBelow: $threshold");
        my @lines = split /\n/, `timeout 1800 $osvm --max-heap=32M $image 2>&1`;
        is($? >> 8, 0, "w$bits: below $threshold: ends as it wants");
        for my $i (0 .. $#programs) {
            is($lines[$i], $programs[$i], "w$bits: below $threshold: $programs[$i]");
        }
        my ($most, @rest) = @lines[$#programs + 1 .. $#lines];
        cmp_ok($most, '>=', $least, "w$bits: below $threshold: most of the memory can be used");
        is("@rest", "$most $most alive", "w$bits: below $threshold: a primitive that fails, as often as one likes");
    }
    my $too_large = `timeout 1800 $osvm --bits=$bits -e '(ByteArray new: SmallInteger maxVal + 1) size' 2>&1`;
    like($too_large, qr/^OutOfMemory: /, "w$bits: nothing has more elements than there are indices");
    my $image = build($bits, 'MemoryProgram new recursion');
    my $output = `timeout 1800 $osvm --max-heap=32M $image 2>&1`;
    is($? >> 8, 1, "w$bits: nobody listens: exit status");
    like($output, qr/^OutOfMemory: .*\n  MemoryProgram>>recursion\n/, "w$bits: and a report");
}
done_testing();
