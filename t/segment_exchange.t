#!/usr/bin/env perl
# Image segments that OpenSmalltalk's stack interpreter (VMMaker.oscog 3185, March 2023) stored are loaded here, and
# what comes back is what came back there: t/answers/segments-64.txt and -32.txt, a line for each sample (t/segments/Samples)
# with the words, the objects outside, and what they hold. What is stored here has the same objects and as many words.
#   REFERENCE, REFERENCE32   the command of a VM for 64-bit and for 32-bit images, to load what is stored here
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

my %reference = (64 => $ENV{REFERENCE}, 32 => $ENV{REFERENCE32});

# From the lines of a program, by name: the columns.
sub samples {
    my %sample = map { my @columns = split /\t/; ($columns[0] => \@columns) } @_;
    return \%sample;
}

for my $bits (64, 32) {
    my %image = map { $_ => "$dir/$_$bits.image" } qw(store load);
    is(system($osvm, 'build', "--bits=$bits", "--start=SegmentSamples $_", '-o', $image{$_}, 'image', 't/segments/Samples'), 0,
        "w$bits: an image is built, to $_") for sort keys %image;
    my $recorded = "t/answers/segments-$bits.txt";
    open my $in, '<', $recorded or die "$recorded: $!\n";
    chomp(my @recorded = <$in>);
    my $expected = samples(@recorded);
    cmp_ok(scalar keys %$expected, '>', 20, "w$bits: there are samples");
    for my $options ('', '--check --leak-check', '--jit=none --torture=move,collect:2000 --gc=sweep') {
        my $loaded = samples(split /\n/, `timeout 1800 $osvm $options $image{load} $recorded 2>&1`);
        is($?, 0, "w$bits $options: recorded ones are loaded");
        is($loaded->{$_}[2], $expected->{$_}[4], "w$bits $options: $_") for sort keys %$expected;
    }

    my $own = "$dir/$bits.txt";
    is(system("timeout 1800 $osvm $image{store} > $own"), 0, "w$bits: segments are stored");
    open $in, '<', $own or die "$own: $!\n";
    chomp(my @own = <$in>);
    my $stored = samples(@own);
    is(join(' ', sort keys %$stored), join(' ', sort keys %$expected), "w$bits: the same samples");
    my $said   = `timeout 1800 $osvm $image{load} $own 2>&1`;
    my $loaded = samples(split /\n/, $said);
    for my $name (sort keys %$expected) {
        my ($here, $there) = ($stored->{$name}, $expected->{$name});
        is($here->[1], $there->[1], "w$bits: $name: is stored");
        is(scalar(split / /, $here->[2]), scalar(split / /, $there->[2]), "w$bits: $name: has as many words");
        is(join(' ', sort split / /, $here->[3]), join(' ', sort split / /, $there->[3]), "w$bits: $name: refers to the same outside");
        # A context whose method has returned keeps its arguments here, and there the depth it had when it became an object.
        my $text = $there->[4] =~ s/nil nil 1 (>>sampleBlock nil \@self :)1 nil/nil nil 0 ${1}0/r;
        is($loaded->{$name}[2], $text, "w$bits: $name: comes back");
    }
    SKIP: {
        skip "w$bits: no other VM is given (REFERENCE" . ($bits == 32 ? '32' : '') . ')', 1 unless $reference{$bits};
        is(`timeout 1800 $reference{$bits} $image{load} $own 2>&1`, $said, "w$bits: the other VM loads what is stored here");
    }
}
done_testing();
