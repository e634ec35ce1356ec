#!/usr/bin/env perl
# Primitives by number over tables of operands: the answers must be those that OpenSmalltalk's stack
# interpreter (VMMaker.oscog 3185, March 2023) gave on the same image; they are recorded in
# t/answers/64.txt and 32.txt, a line for each primitive and receiver; those of BitBltPlugin in bitblt.txt.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

for my $bits (64, 32) {
    my $image = "$dir/$bits.image";
    my @build = ($osvm, 'build', "--bits=$bits", '--start=Answers printAll. Console quit: 0', '-o', $image,
        'image', 't/answers/Answers');
    is(system(@build), 0, "$bits-bit image is built") or next;
    for my $variant ('', '--check') {
        my $name = "w$bits/" . ($variant ? 'checked' : 'production');
        my @answers = split /\n/, `$osvm $variant $image`;
        is($? >> 8, 0, "$name: ends normally");
        open my $recorded, '<', "t/answers/$bits.txt" or die "t/answers/$bits.txt: $!\n";
        chomp(my @expected = <$recorded>);
        my %wrong;
        for my $i (0 .. $#expected) {
            my ($number) = split / /, $expected[$i];
            $wrong{$number} = ($wrong{$number} // 0) + 0;
            next if defined $answers[$i] && $answers[$i] eq $expected[$i];
            diag("$name: line " . ($i + 1) . "\n  answers  " . ($answers[$i] // 'nothing') . "\n  expected $expected[$i]")
                if $wrong{$number}++ < 3;
        }
        is($wrong{$_}, 0, "$name: primitive $_") for sort { ($a =~ /\D/) <=> ($b =~ /\D/) || $a cmp $b } keys %wrong;
        is(scalar @answers, scalar @expected, "$name: number of lines");
    }
}

# Copies of bits: one line for each rule and depth of the destination, the same in both widths.
open my $recorded, '<', 't/answers/bitblt.txt' or die "t/answers/bitblt.txt: $!\n";
chomp(my @expected = <$recorded>);
for my $run (['64', 'production', ''], ['32', 'production', ''], ['64', 'checked', '--check']) {
    my ($bits, $variant, @options) = @$run;
    my $image = "$dir/bitblt$bits.image";
    is(system($osvm, 'build', "--bits=$bits", '--start=BitBltAnswers run', '-o', $image, 'image', 't/answers/Answers',
        't/answers/BitBlt'), 0, "$bits-bit image is built");
    my @answers = split /\n/, `$osvm @options $image`;
    my @wrong   = grep { ($answers[$_] // 'nothing') ne $expected[$_] } 0 .. $#expected;
    diag("answers  " . ($answers[$_] // 'nothing') . "\n  expected $expected[$_]") for @wrong[0 .. ($#wrong > 2 ? 2 : $#wrong)];
    is(scalar @wrong, 0, "w$bits/$variant: copies of bits");
}
done_testing();
