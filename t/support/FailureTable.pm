package FailureTable;

# Calls of primitives with operands of every kind: the image that makes them, what a VM says of them, how that is
# recorded, and the comparison with what is recorded. A call of a table is a hash:
#   label        names it in files
#   primitive    what its method says: a number, or a function and its module
#   arity        arguments of the method
#   is_summed    whether answers, and what became of operands, are compared too
#   blocks       [[rows], [tuples]]...: for each row, an operand's index, each tuple of receiver and arguments is called
#                once, with the row's operand where the tuple has 0. An operand in a tuple is an index, or
#                [class, field...], an object made of such.
# A row of a call ends with a code for each tuple. Files of answers have a line for rows that end alike:
# `label operands: codes`, as FailureAnswers says; 3*40 is a run of equal codes; then perhaps the sum, s and a number.
use strict;
use warnings;
use Exporter qw(import);
use OsvmTest;
use Test::More;

our @EXPORT = qw(@operands %index define_operands record_answers compare_answers);

our @operands;    # [name, expression that makes it]
our %index;       # by name, from 1

sub define_operands {
    my ($text) = @_;
    for (split /\n/, $text) {
        push @operands, [/^(\S+) +(.*)$/];
        $index{ $operands[-1][0] } = @operands;
    }
    return;
}

# What primitives are called with; each call gets new ones. The last ones become forwarders before they are passed.
define_operands(<<'TEXT');
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
holder            { self forwarderTo: Object new }
f-bytes           self forwarderTo: #[1 2 3 4 250 6 7 8] copy
f-ro-bytes        self readOnlyForwarderTo: #[1 2 3 4 250 6 7 8] copy
f-words           self forwarderTo: (self wordsOf: WordArray)
f-string          self forwarderTo: 'abcdef' copy
f-array           self forwarderTo: { 1. 2. 3 }
f-objects         self forwarderTo: { Object new. Object new }
f-large           self forwarderTo: (1 bitShift: 63)
f-float           self forwarderTo: (self copyOf: 1.0e300)
f-point           self forwarderTo: 3 @ 4
f-semaphore       self forwarderTo: self signalled
f-process         self forwarderTo: [ nil ] newProcess
f-method          self forwarderTo: (FailureAnswers >> #signalled) copy
TEXT

# ---- The image ----

# Methods that are too long for their literals call parts of themselves.
sub method_in_parts {
    my ($class, $name, $start, $end, @statements) = @_;
    my @parts;
    while (my @part = splice @statements, 0, 20) {
        push @parts, join '', map { "\t$_.\n" } @part;
    }
    return method("$class >> $name", $start . join('', map { "\tself $name$_.\n" } 0 .. $#parts) . $end)
        . join '', map { method("$class >> $name$_", $parts[$_]) } 0 .. $#parts;
}

sub method { my ($pattern, $body) = @_; return "\n{ #category : #'*Calls' }\n$pattern [\n$body]\n" }

sub literal { my ($tree) = @_; return ref $tree ? '(' . join(' ', map { literal($_) } @$tree) . ')' : $tree }

# Writes the package of methods with primitives and of the table.
sub write_calls {
    my ($class, $calls) = @_;
    my ($primitives, $tables, %tables, @runs) = ("Extension { #name : #Object }\n", '');
    for my $number (0 .. $#$calls) {
        my $call     = $calls->[$number];
        my $selector = "p$number" . ($call->{arity} ? ':' . 'with:' x ($call->{arity} - 1) : '');
        my $pattern  = "p$number" . ($call->{arity} ? ': a' . join '', map { " with: x$_" } 2 .. $call->{arity} : '');
        $primitives .= method("Object >> $pattern", "\t<primitive: $call->{primitive} error: code>\n\t^ FailureAnswers failed: code\n");
        for my $block (@{ $call->{blocks} }) {
            my $tuples = literal($block->[1]);
            my $table  = $tables{$tuples} //= 'tuples' . keys %tables;
            push @runs, "self run: '$call->{label}' selector: #$selector rows: #(@{ $block->[0] }) tuples: self $table summing: "
                . ($call->{is_summed} ? 'true' : 'false');
        }
    }
    $tables .= method("$class >> $tables{$_}", "\t^ #$_\n") for sort keys %tables;
    write_file('Calls/package.st', "Package { #name : #'Calls' }\n");
    write_file('Calls/Object.extension.st', $primitives);
    write_file("Calls/$class.extension.st", "Extension { #name : #$class }\n$tables"
        . method_in_parts($class, 'run', "\tself prepare.\n", "\tConsole printLine: 'done'.\n\tConsole quit: 0\n", @runs)
        . method_in_parts($class, 'prepare', "\tself prepareToRun.\n\tmakers := Array new: " . @operands . ".\n", '',
            map { "makers at: " . ($_ + 1) . " put: [ $operands[$_][1] ]" } 0 .. $#operands));
    return;
}

sub build_image {
    my ($bits, $class, @packages) = @_;
    return system($osvm, 'build', "--bits=$bits", "--start=$class run", '-o', "$dir/$bits.image", 'image', 't/answers/Answers',
        't/answers/Failures', @packages, "$dir/Calls") == 0;
}

# ---- What an image says ----

# label => row => [codes, sum]; the image runs in a folder of its own. A VM that dies goes on behind the row of which it died.
sub run_image {
    my ($calls, $bits, @vm) = @_;
    my ($rows, @deaths, @from) = {};
    my $folder = "$dir/run" . ++(our $runs);
    mkdir $folder;
    for (1 .. 400) {
        my @lines = split /\n/, `cd $folder && LC_ALL=C TZ=UTC HOME=. timeout 1800 @vm $dir/$bits.image @from 2>$dir/errors </dev/null`;
        my @last;
        for (@lines) {
            next unless /^(\S+) (\d+) (\S*) (\d+)$/;
            $rows->{$1}{$2} = [$3, $4];
            @last = ($1, $2);
        }
        return ($rows, @deaths) if $? == 0 && @lines && $lines[-1] eq 'done';
        @from = @last ? after($calls, @last) : @from ? @from : after($calls);
        push @deaths, [@from] if @from;
        @from = after($calls, @from) if @from;
        return ($rows, @deaths) unless @from;
    }
    return ($rows, @deaths);
}

sub rows_of { my ($call) = @_; return map { @{ $_->[0] } } @{ $call->{blocks} } }

# The label and row that follow.
sub after {
    my ($calls, $label, $row) = @_;
    my $found = !defined $label;
    for my $call (@$calls) {
        for (rows_of($call)) {
            return ($call->{label}, $_) if $found;
            $found = 1 if $call->{label} eq $label && $_ == $row;
        }
    }
    return;
}

# ---- Files of answers ----

# Codes with their runs counted, and back.
sub packed {
    my ($codes) = @_;
    $codes =~ s/((.)\2{3,})/" $2*" . length($1) . ' '/ge;
    $codes =~ s/  +/ /g;
    return $codes =~ s/^ | $//gr;
}

sub unpacked { my ($codes) = @_; $codes =~ s/(\S)[*](\d+)/$1 x $2/ge; return $codes =~ s/ //gr }

# Prints what VM answers; of what it dies is said on standard error.
sub record_answers {
    my ($bits, $class, $calls, @packages) = @_;
    write_calls($class, $calls);
    build_image($bits, $class, @packages) or die "the image is not built\n";
    my ($rows, @deaths) = run_image($calls, $bits, $ENV{REFERENCE} // die "REFERENCE=VM\n");
    my %deaths;
    push @{ $deaths{ $_->[0] } }, $operands[$_->[1] - 1][0] for @deaths;
    print STDERR "$_: dies of @{ $deaths{$_} }\n" for sort keys %deaths;
    for my $call (@$calls) {
        my $of = $rows->{ $call->{label} } or next;
        my %same;
        for my $row (rows_of($call)) {
            my ($codes, $sum) = @{ $of->{$row} || next };
            push @{ $same{ $codes . ($call->{is_summed} && $codes =~ /[.]/ ? " $sum" : '') } }, $row;
        }
        for my $key (sort { $same{$a}[0] <=> $same{$b}[0] } keys %same) {
            my ($codes, $sum) = split / /, $key;
            print "$call->{label} " . join(',', map { $operands[$_ - 1][0] } @{ $same{$key} }) . ': '
                . packed($codes) . ($sum ? " s$sum" : '') . "\n";
        }
    }
    return;
}

# label => row's name => [codes, sum or undef]
sub recorded {
    my ($path) = @_;
    my %rows;
    open my $file, '<', $path or die "$path: $!\n";
    while (<$file>) {
        my ($label, $names, $codes, $sum) = m{^(\S+) (\S+): (.*?)(?: s(\d+))?$} or die "$path, line $.: $_";
        $rows{$label}{$_} = [unpacked($codes), $sum] for split /,/, $names;
    }
    return \%rows;
}

# What we do otherwise on purpose, a line each: labels (a pattern each), rows or *, theirs>ours, reason.
sub deviations {
    my ($path) = @_;
    my @deviations;
    open my $file, '<', $path or die "$path: $!\n";
    while (<$file>) {
        next if /^#/;
        my ($labels, $names, $theirs, $ours) = /^(\S+) (\S+) (\S)>(\S) \S/ or die "$path, line $.: $_";
        my %rows = map { $index{$_} // die("$path, line $.: $_\n"); $_ => 1 } grep { $_ ne '*' } split /,/, $names;
        push @deviations, { labels => pattern($labels), rows => $names eq '*' ? undef : \%rows,
            theirs => $theirs, ours => $ours, line => $., is_needed => 0 };
    }
    return \@deviations;
}

# Labels, with * for anything in them and ranges of numbers, by commas.
sub pattern {
    my ($labels) = @_;
    my @patterns;
    for (split /,/, $labels) {
        push @patterns, /^(\d+)-(\d+)$/ ? map { "$_/\\d" } $1 .. $2 : /^\d+$/ ? "$_/\\d" : join '.*', map { quotemeta } split /[*]/, $_, -1;
    }
    my $any = join '|', @patterns;
    return qr/^(?:$any)$/;
}

sub deviates {
    my ($deviations, $call, $row, $theirs, $ours) = @_;
    my @found = grep { $_->{theirs} eq $theirs && $_->{ours} eq $ours && $call->{label} =~ $_->{labels} && (!$_->{rows} || $_->{rows}{$row}) }
        @$deviations;
    $_->{is_needed} = 1 for @found;
    return @found > 0;
}

# ---- Comparison ----

sub operand_text {
    my ($operand, $row) = @_;
    return ref $operand ? operand_text($operand->[0]) . '(' . join(' ', map { operand_text($_, $row) } @$operand[1 .. $#$operand]) . ')'
        : $operand ? $operands[$operand - 1][0] : $row;
}

# What differs in a row, as lines.
sub differences {
    my ($deviations, $call, $tuples, $row, $expected, $got) = @_;
    return deviates($deviations, $call, $row, '!', '*') ? () : "$call->{label} $row: nothing is recorded" unless $expected;
    return "$call->{label} $row: no answer" unless $got;
    my ($deviates, @lines) = 0;
    for my $i (0 .. length($expected->[0]) - 1) {
        my ($old, $new) = map { substr $_, $i, 1 } $expected->[0], $got->[0] . ' ' x length $expected->[0];
        next if $old eq $new || deviates($deviations, $call, $row, $old, $new) && ($deviates = 1);
        push @lines, "$call->{label}: " . join(' ', map { operand_text($_, "<$row>") } @{ $tuples->[$i] }) . " ends with $new, expected $old";
    }
    return @lines if @lines || $deviates || !defined $expected->[1] || $expected->[1] == $got->[1];
    return () if deviates($deviations, $call, $row, 's', 's');
    return "$call->{label} $row: answers, or operands afterwards, have the sum $got->[1], expected $expected->[1]";
}

sub compare {
    my ($name, $call, $recorded, $rows, $deviations, $says_all) = @_;
    my @lines;
    for my $block (@{ $call->{blocks} }) {
        for my $index (@{ $block->[0] }) {
            my $row = $operands[$index - 1][0];
            push @lines, differences($deviations, $call, $block->[1], $row, $recorded->{$row}, $rows->{$index});
        }
    }
    is(scalar @lines, 0, "$name: $call->{label}") or diag(join "\n", @lines[0 .. ($#lines > 9 && !$says_all ? 9 : $#lines)]);
    return;
}

# In machine code where there is a JIT, and interpreted where there is none or if that is asked for.
sub tiers {
    my ($bits, $in_all) = @_;
    my @hot = $bits == 64 && has_plugin('jit', 'x64') ? '--jit=x64,threshold=2' : ();
    return (@hot, @hot && !$in_all ? () : '--jit=none');
}

# Compares with the files NAME-64.txt and NAME-32.txt of t/answers, and NAME-deviations.txt. `has` says which calls
# there are for a width; in_all_tiers: whether to run in all; says_all: every difference, and unneeded deviations are none.
sub compare_answers {
    my ($name, $class, $calls, %how) = @_;
    my $deviations = deviations("t/answers/$name-deviations.txt");
    write_calls($class, $calls);
    for my $bits (64, 32) {
        my $recorded = recorded("t/answers/$name-$bits.txt");
        ok(build_image($bits, $class, @{ $how{packages} // [] }), "w$bits: built") or next;
        for my $options (tiers($bits, $how{in_all_tiers})) {
            my ($rows, @deaths) = run_image($calls, $bits, $osvm, $options);
            is(scalar @deaths, 0, "w$bits $options: ends normally") or diag(map { "@$_\n" } @deaths);
            for my $call (grep { !$how{has} || $how{has}->($_, $bits) } @$calls) {
                compare("w$bits $options", $call, $recorded->{ $call->{label} } // {}, $rows->{ $call->{label} }, $deviations, $how{says_all});
            }
        }
    }
    if (!$how{says_all}) {
        ok($_->{is_needed}, "deviation in line $_->{line} is needed") for @$deviations;
    }
    done_testing();
    return;
}

1;
