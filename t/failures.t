#!/usr/bin/env perl
# Numbered primitives with operands of every kind: each call must end as it did in OpenSmalltalk's
# stack interpreter (VMMaker.oscog 3185, March 2023) on the same image: with success, or with the
# same failure code. t/answers/failures-64.txt and failures-32.txt have a line for each primitive and
# set of receivers: `number/arity receivers: codes`, as FailureAnswers says; 3*40 is a run of equal codes.
# What we do otherwise on purpose is listed in t/answers/failures-deviations.txt.
#
#   t/failures.t 105 72                  these only; every call that differs is named
#   REFERENCE=VM t/failures.t --record 64 [NUMBER...] > FILE    records what VM does (32-bit: 32)
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

my $record = @ARGV && $ARGV[0] eq '--record' && shift @ARGV ? shift @ARGV : 0;
my %only   = map { $_ => 1 } @ARGV;

# What primitives are called with; each call gets new ones. The last ones are forwarders, as arguments.
my @operands = map { [/^(\S+) +(.*)$/] } split /\n/, <<'TEXT';
nil               nil
true              true
false             false
0                 0
1                 1
2                 2
-1                -1
255               255
65536             65536
maxVal            SmallInteger maxVal
minVal            SmallInteger minVal
2^32              1 bitShift: 32
2^64-1            (1 bitShift: 64) - 1
2^64              1 bitShift: 64
-2^63             (1 bitShift: 63) negated
-2^64             (1 bitShift: 64) negated
1.5               self copyOf: 1.5
1e300             self copyOf: 1.0e300
$a                $a
$10FFFF           Character value: 16r10FFFF
string            'abcdef' copy
wide              (String with: (Character value: 955)) copy
symbol            self copyOf: #yourself
bytes             #[1 2 3 4 250 6 7 8] copy
shorts            self wordsOf: DoubleByteArray
words             self wordsOf: WordArray
longs             self wordsOf: DoubleWordArray
bitmap            self wordsOf: Bitmap
array             { 1. 2. 3 }
objects           { Object new. Object new }
empty             Array new: 0
no-bytes          ByteArray new: 0
weak              (WeakArray new: 3) at: 1 put: 5; yourself
ro-string         self readOnly: 'abcdef' copy
ro-bytes          self readOnly: #[1 2 3 4 250 6 7 8] copy
ro-words          self readOnly: (self wordsOf: WordArray)
ro-array          self readOnly: { 1. 2. 3 }
ro-point          self readOnly: (1 -> 2)
object            Object new
point             3 @ 4
association       1 -> 2
class             FailureAnswers
bytes-class       ByteArray
method            (FailureAnswers >> #signalled) copy
context           FailureAnswers deadContext
process           [ nil ] newProcess
semaphore         self signalled
mutex             Mutex new
block0            [ 7 ]
block1            [ :x | x ]
holder            self forwarder: Object new to: Object new
f-bytes           self forwarder: Object new to: #[1 2 3 4 250 6 7 8] copy
f-ro-bytes        self readOnlyForwarder: #[1 2 3 4 250 6 7 8] copy
f-words           self forwarder: Object new to: (self wordsOf: WordArray)
f-string          self forwarder: Object new to: 'abcdef' copy
f-array           self forwarder: Object new to: { 1. 2. 3 }
f-objects         self forwarder: Object new to: { Object new. Object new }
f-large           self forwarder: Object new to: (1 bitShift: 63)
f-float           self forwarder: Object new to: (self copyOf: 1.0e300)
f-point           self forwarder: Object new to: 3 @ 4
f-semaphore       self forwarder: Object new to: self signalled
f-process         self forwarder: Object new to: [ nil ] newProcess
f-method          self forwarder: Object new to: (FailureAnswers >> #signalled) copy
TEXT
my %index = map { $operands[$_][0] => $_ + 1 } 0 .. $#operands;
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
        my ($number, $summed) = @$entry;
        next if %only && !$only{$number};
        push @calls, { label => "$number/$arity", number => $number, arity => $arity, summed => $summed eq '=',
            tuples => $arity . ($arity == 1 && $without{$number} ? "without$number" : ''),
            receivers => $restriction{$number} || \@receivers };
    }
}

# ---- The image ----

sub selector { my ($number, $arity) = @_; return "p$number" . ('', ':', ':with:', ':with:with:', ':with:with:with:')[$arity] }

write_file('Calls/package.st', "Package { #name : #'Calls' }\n");
my $text = "Extension { #name : #Object }\n";
for my $call (@calls) {
    my $pattern = "p$call->{number}" . ($call->{arity} ? ': a' . join '', map { " with: x$_" } 2 .. $call->{arity} : '');
    $text .= "\n{ #category : #'*Calls' }\nObject >> $pattern [\n\t<primitive: $call->{number} error: code>\n"
        . "\t^ FailureAnswers failed: code\n]\n";
}
write_file('Calls/Object.extension.st', $text);
$text = "Extension { #name : #FailureAnswers }\n\n{ #category : #'*Calls' }\nFailureAnswers >> run [\n"
    . "\tstream := WriteStream with: String new.\n\tforwarders := $forwarders.\n"
    . "\tisWaiting := (Smalltalk attribute: 2) notNil.\n\tself prepare.\n"
    . join('', map { "\tself runPart$_.\n" } 0 .. $#calls / 20) . "\tConsole printLine: 'done'.\n\tConsole quit: 0\n]\n"
    . "\n{ #category : #'*Calls' }\nFailureAnswers >> prepare [\n\tmakers := Array new: " . @operands . ".\n"
    . join('', map { "\tself prepare$_.\n" } 0 .. $#operands / 20) . "]\n";
for my $part (0 .. $#operands / 20) {
    $text .= "\n{ #category : #'*Calls' }\nFailureAnswers >> prepare$part [\n";
    for my $i ($part * 20 .. $part * 20 + 19) {
        $text .= "\tmakers at: " . ($i + 1) . " put: [ $operands[$i][1] ].\n" if $i < @operands;
    }
    $text .= "]\n";
}
for my $arity (sort keys %tuples) {
    $text .= "\n{ #category : #'*Calls' }\nFailureAnswers >> tuples$arity [\n\t^ #("
        . join(' ', map { '(' . join(' ', @$_) . ')' } @{ $tuples{$arity} }) . ")\n]\n";
}
for my $part (0 .. $#calls / 20) {
    $text .= "\n{ #category : #'*Calls' }\nFailureAnswers >> runPart$part [\n";
    for my $number ($part * 20 .. $part * 20 + 19) {
        my $call = $calls[$number] // last;
        $text .= "\tself run: '$call->{label}' selector: #" . selector($call->{number}, $call->{arity})
            . " receivers: #(@{ $call->{receivers} }) tuples: self tuples$call->{tuples} summing: " . ($call->{summed} ? 'true' : 'false') . ".\n";
    }
    $text .= "]\n";
}
write_file('Calls/FailureAnswers.extension.st', $text);

sub build {
    my ($bits) = @_;
    return system($osvm, 'build', "--bits=$bits", '--start=FailureAnswers run', '-o', "$dir/$bits.image", 'image', 't/answers/Answers',
        't/answers/Failures', "$dir/Calls") == 0;
}

# ---- Lines of calls ----

# What an image says, label => receiver => [codes, sum]. A VM that dies goes on behind the receiver of which it died.
sub run_image {
    my ($bits, @vm) = @_;
    my ($rows, @deaths, @from) = {};
    for (1 .. 400) {
        my @lines = split /\n/, `timeout 300 @vm $dir/$bits.image @from 2>$dir/errors </dev/null`;
        my @last;
        for (@lines) {
            next unless /^(\d+\/\d) (\d+) (\S*) (\d+)$/;
            $rows->{$1}{$2} = [$3, $4];
            @last = ($1, $2);
        }
        return ($rows, @deaths) if $? == 0 && @lines && $lines[-1] eq 'done';
        @from = @last ? after(@last) : @from ? @from : after();
        push @deaths, [@from] if @from;
        @from = after(@from) if @from;
        return ($rows, @deaths) unless @from;
    }
    return ($rows, @deaths);
}

# The label and receiver that follow.
sub after {
    my ($label, $receiver) = @_;
    my $found = !defined $label;
    for my $call (@calls) {
        for (@{ $call->{receivers} }) {
            return ($call->{label}, $_) if $found;
            $found = 1 if $call->{label} eq $label && $_ == $receiver;
        }
    }
    return;
}

# Images of 32 bits have no immediate floats.
sub calls { my ($bits) = @_; return grep { $bits == 64 || $_->{number} < 541 || $_->{number} > 559 } @calls }

# Codes with their runs counted, and back.
sub packed {
    my ($codes) = @_;
    $codes =~ s/((.)\2{3,})/" $2*" . length($1) . ' '/ge;
    $codes =~ s/  +/ /g;
    return $codes =~ s/^ | $//gr;
}

sub unpacked { my ($codes) = @_; $codes =~ s/(\S)[*](\d+)/$1 x $2/ge; return $codes =~ s/ //gr }

if ($record) {
    build($record) or die "the image is not built\n";
    my ($rows, @deaths) = run_image($record, $ENV{REFERENCE} // die "REFERENCE=VM\n");
    my %deaths;
    push @{ $deaths{ $_->[0] } }, $operands[$_->[1] - 1][0] for @deaths;
    print STDERR "$_: dies of @{ $deaths{$_} }\n" for sort keys %deaths;
    for my $call (calls($record)) {
        my $of = $rows->{ $call->{label} } or next;
        my %same;
        for my $receiver (@{ $call->{receivers} }) {
            my ($codes, $sum) = @{ $of->{$receiver} || next };
            push @{ $same{ $codes . ($call->{summed} && $codes =~ /[.]/ ? " $sum" : '') } }, $receiver;
        }
        for my $key (sort { $same{$a}[0] <=> $same{$b}[0] } keys %same) {
            my ($codes, $sum) = split / /, $key;
            print "$call->{label} " . join(',', map { $operands[$_ - 1][0] } @{ $same{$key} }) . ': '
                . packed($codes) . ($sum ? " s$sum" : '') . "\n";
        }
    }
    exit 0;
}
# ---- Comparison ----

# label => receiver => [codes, sum or undef]
sub recorded {
    my ($bits) = @_;
    my %rows;
    open my $file, '<', "t/answers/failures-$bits.txt" or die "t/answers/failures-$bits.txt: $!\n";
    while (<$file>) {
        my ($label, $receivers, $codes, $sum) = m{^(\d+/\d) (\S+): (.*?)(?: s(\d+))?$} or die "$.: $_";
        $rows{$label}{$_} = [unpacked($codes), $sum] for split /,/, $receivers;
    }
    return \%rows;
}

# What we do otherwise on purpose: [numbers, receivers or undef, theirs, ours, line, how often needed].
my @deviations;
open my $file, '<', 't/answers/failures-deviations.txt' or die "t/answers/failures-deviations.txt: $!\n";
while (<$file>) {
    next if /^#/;
    my ($numbers, $receivers, $theirs, $ours) = /^(\S+) (\S+) (\S)>(\S) \S/ or die "deviations, line $.: $_";
    push @deviations, [{ map { $_->[0] => 1 } numbers($numbers) },
        $receivers eq '*' ? undef : { map { $index{$_} // die("line $.: $_\n"); $_ => 1 } split /,/, $receivers },
        $theirs, $ours, $., 0];
}

sub deviates {
    my ($call, $receiver, $theirs, $ours) = @_;
    my @found = grep { $_->[0]{ $call->{number} } && (!$_->[1] || $_->[1]{$receiver}) }
        grep { $_->[2] eq $theirs && $_->[3] eq $ours } @deviations;
    $_->[5]++ for @found;
    return @found > 0;
}

# What differs in a row, as text; empty: nothing.
sub differences {
    my ($call, $receiver, $expected, $got) = @_;
    return deviates($call, $receiver, '!', '*') ? '' : "$call->{label} $receiver: nothing is recorded\n" unless $expected;
    return "$call->{label} $receiver: no answer\n" unless $got;
    my ($text, $deviates) = '';
    for my $i (0 .. length($expected->[0]) - 1) {
        my ($old, $new) = map { substr $_, $i, 1 } $expected->[0], $got->[0] . ' ' x length $expected->[0];
        next if $old eq $new || deviates($call, $receiver, $old, $new) && ($deviates = 1);
        my $arguments = join ' ', map { $operands[$_ - 1][0] } @{ $tuples{ $call->{tuples} }[$i] };
        $text .= "primitive $call->{number}: $receiver ($arguments) ends with $new, expected $old\n";
    }
    return $text if $text ne '' || $deviates || !defined $expected->[1] || $expected->[1] == $got->[1];
    return '' if deviates($call, $receiver, 's', 's');
    return "primitive $call->{number}: $receiver: answers, or receivers afterwards, have the sum $got->[1], "
        . "expected $expected->[1]\n";
}

sub compare {
    my ($name, $call, $recorded, $rows) = @_;
    my $text = '';
    for my $index (@{ $call->{receivers} }) {
        my $receiver = $operands[$index - 1][0];
        $text .= differences($call, $receiver, $recorded->{$receiver}, $rows->{$index});
    }
    my @lines = split /\n/, $text;
    is(scalar @lines, 0, "$name: primitive $call->{label}") or diag(join "\n", @lines[0 .. ($#lines > 9 && !%only ? 9 : $#lines)]);
    return;
}

# In machine code where there is a JIT, and interpreted where there is none or, with OSVM_TEST_LONG, in any case.
sub tiers {
    my ($bits) = @_;
    my @hot = $bits == 64 && has_plugin('jit', 'x64') ? '--jit=x64,threshold=2' : ();
    return (@hot, @hot && !$ENV{OSVM_TEST_LONG} ? () : '--jit=none');
}

for my $bits (64, 32) {
    my $recorded = recorded($bits);
    ok(build($bits), "w$bits: built") or next;
    for my $options (tiers($bits)) {
        my ($rows, @deaths) = run_image($bits, $osvm, $options);
        is(scalar @deaths, 0, "w$bits $options: ends normally") or diag(map { "@$_\n" } @deaths);
        compare("w$bits $options", $_, $recorded->{ $_->{label} } // {}, $rows->{ $_->{label} }) for calls($bits);
    }
}
if (!%only) {
    ok($_->[5], "deviation in line $_->[4] is needed") for @deviations;
}
done_testing();
