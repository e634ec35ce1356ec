#!/usr/bin/env perl
# Numbered primitives with operands of every kind: each call must end as it did in OpenSmalltalk's
# stack interpreter (VMMaker.oscog 3185, March 2023) on the same image: with success, or with the
# same failure code. t/answers/failures-64.txt and failures-32.txt have a line for each primitive, `number/arity`,
# and set of receivers (t/support/FailureTable.pm says more).
# What we do otherwise on purpose is listed in t/answers/failures-deviations.txt.
#
#   t/failures.t 105 72                  these only; every call that differs is named
#   REFERENCE=VM t/failures.t --record 64 [NUMBER...] > FILE    records what VM does (32-bit: 32)
use strict;
use warnings;
use lib 't/support';
use FailureTable;

my $record = @ARGV && $ARGV[0] eq '--record' && shift @ARGV ? shift @ARGV : 0;
my %only   = map { $_ => 1 } @ARGV;

my ($forwarders) = grep { $operands[$_][0] =~ /^f-/ } 0 .. $#operands;
my @all       = (1 .. @operands);
# To save time these, like others of their kind, are not everywhere.
my %alike     = map { $index{$_} => 1 } qw(false 2 255 65536 $10FFFF -2^64 bitmap ro-string no-bytes block1 mutex bytes-class
    f-ro-bytes f-semaphore f-process f-point f-objects f-words);
my @fewer     = grep { !$alike{$_} } @all;
my @receivers = grep { !$alike{$_} } 1 .. $forwarders;

# ---- The calls: arity => numbers. `=` before: what succeeded is compared too, receivers afterwards. ----
my %arities = (
    0 => '=40 =51-53 =55 56-59 =62 70 75 77 78 =85 =86 87 88 95 106 =111 112 129 135 137 140 142 =148 =159
          =163 167 =170 =171 172 175 176 177 181 =182 =183 185 186 187 197 =207 209 =212 213 214 240 241 244
          245 246 =551-553 =555 556-559 568 570 =575 578',
    1 => '=1-18 =20-38 =41-50 =54 =60 =63 =68 71 72 =73 76 94 102 =110 112 115 125 128 =132 139 =143 =145 149
          =158 160 161 164 =165 =168 =169 =173 =181 184 =208 =210 =238 248 =541-550 =554 572 573',
    2 => '=39 =61 =64 =69 =74 79 84 =144 =158 =166 =174 =188 =211 =239 242 249 254',
    3 => '=100',
    4 => '=105',
);
# The reference does not look at what these are sent to, or loses what it lives on:
# images have them in certain classes only.
my $objects    = join ' ', grep { !/^(?:-?\d+|...Val|2\^32|1[.]5|[\$].*|f-.*)$/ } map { $_->[0] } @operands;
my %restricted = (
    '40 159'                          => '0 1 -1 maxVal minVal',
    '85 86'                           => 'semaphore',
    '87 88 568 578'                   => 'process',
    '185 186 187'                     => 'mutex semaphore',
    '76 195 196 197 210 211 212 213'  => 'context',
    '207 208 209'                     => 'block0 block1',
    '38 39'                           => '1.5 1e300',
    '68 69'                           => 'method',
    '105'                             => $objects,
    '74 174'                          => join(' ', grep { !/class$/ } map { $_->[0] } @operands[0 .. $forwarders - 1]),
    '541-550 551-559'                 => '1.5',
    '70 71 77 175 177 181 79 581 583 596 597 598 599' => 'class bytes-class',
    '115 161 164'                     => $objects =~ s/\S*class|\b(?:nil|true|false)\b//gr,
    '160'                             => 'class bytes-class',
    '184'                             => $objects =~ s/\bcontext\b//r,
    '78 139'                          => '0 1 $a', # what comes next in memory is the memory manager's business
    '125 149'                         => 'nil',
    '575'                             => '0 1 2 -1 255 65536 maxVal minVal',
);

# Arguments left out: of gigabytes it depends on the machine whether there is memory; a threshold below which
# memory is low ends the reference later; attribute 2 is what we are started with.
my %without = (71 => [@index{'2^32', 'maxVal'}], 125 => [@index{'65536', '2^32', 'maxVal'}], 149 => [$index{2}]);

sub numbers {
    my ($text) = @_;
    return map { /^(=?)(\d+)(?:-(\d+))?$/ or die "$_\n"; map { [$_, $1] } $2 .. $3 // $2 } grep { length } split /[\s,]+/, $text;
}

my %restriction;
while (my ($numbers, $names) = each %restricted) {
    $restriction{$_} = [map { $index{$_} // die "no operand $_\n" } split ' ', $names] for map { $_->[0] } numbers($numbers);
}

# Tuples of arguments: all; pairs of all with some; a random choice of longer ones, the same each time.
my @firsts = map { $index{$_} } '1', 'array';
my @lasts  = map { $index{$_} } '1', '$a', 'true';
my $seed = 20263;

sub draw { my ($list) = @_; $seed = ($seed * 1103515245 + 12345) % 2**31; return $list->[($seed >> 8) % @$list] }

sub tuples {
    my ($arity) = @_;
    return [[]] if $arity == 0;
    return [map { [$_] } @all] if $arity == 1;
    return [(map { my $b = $_; map { [$_, $b] } @fewer } @lasts), (map { my $a = $_; map { [$a, $_] } @fewer } @firsts)]
        if $arity == 2;
    my @often = map { $index{$_} } qw(0 1 2 1 2 2 bytes string array words f-bytes ro-bytes);
    return [map { [map { draw(draw([0, 1, 1]) ? \@often : \@all) } 1 .. $arity] } 1 .. 150];
}
my %tuples = map { $_ => tuples($_) } sort keys %arities;
while (my ($number, $left_out) = each %without) {
    my %is_out = map { $_ => 1 } @$left_out;
    $tuples{"1without$number"} = [grep { !$is_out{ $_->[0] } } @{ $tuples{1} }];
}

my @calls;
for my $arity (sort keys %arities) {
    for my $entry (numbers($arities{$arity})) {
        my ($number, $is_summed) = @$entry;
        next if %only && !$only{$number};
        my $tuples = $tuples{ $arity . ($arity == 1 && $without{$number} ? "without$number" : '') };
        push @calls, { label => "$number/$arity", primitive => $number, arity => $arity, is_summed => $is_summed eq '=',
            blocks => [[$restriction{$number} || \@receivers, [map { [0, @$_] } @$tuples]]] };
    }
}

# Images of 32 bits have no immediate floats.
sub has { my ($call, $bits) = @_; return $bits == 64 || $call->{primitive} < 541 || $call->{primitive} > 559 }

if ($record) {
    record_answers($record, 'FailureAnswers', [grep { has($_, $record) } @calls]);
} else {
    compare_answers('failures', 'FailureAnswers', \@calls, has => \&has, in_all_tiers => $ENV{OSVM_TEST_LONG}, says_all => scalar %only);
}
