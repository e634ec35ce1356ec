#!/usr/bin/env perl
# --torture and --leak-check over both widths, collectors and variants: the program answers as ever, and no
# leak is found. Also the switch of the collector while the image runs.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

my $long = $ENV{OSVM_TEST_LONG};

# Strings, collections, blocks, large integers, deep recursion, methods compiled at run time.
my $program = '| d f | d := OrderedCollection new. 1 to: 400 do: [:i | d add: i printString]. '
    . 'f := nil. f := [:n | n < 2 ifTrue: [1] ifFalse: [n * (f value: n - 1)]]. '
    . '(f value: 60) printString size + (d inject: 0 into: [:a :s | a + s size])';
my $answer = "1174\n";

sub run {
    my @options = @_;
    open my $out, '-|', 'sh', '-c', 'exec timeout 1800 "$@" 2>&1', 'sh', $osvm, @options
        or BAIL_OUT("$osvm: $!");
    local $/;
    my $said = <$out>;
    close $out;
    return ($said, $?);
}

is((run('-e', $program))[0], $answer, 'untortured');

my @mixtures = (
    'scavenge:20,poison',
    'scavenge:300,collect:3000,move,tiny-spaces,poison',
    'collect:2000,move,seed:7',
    'tiny-spaces,scavenge:100,seed:11',
);
push @mixtures, map { "scavenge:3,collect:200,move,tiny-spaces,poison,seed:$_" } 1 .. 20 if $long;
for my $bits (32, 64) {
    for my $gc ('compact', 'sweep', 'sweep,lazy') {
        for my $check ([], ['--check=mm,gc']) {
            for my $mixture (@mixtures) {
                my $name = "$bits bits, $gc, " . (@$check ? 'checked' : 'production') . ", $mixture";
                my ($said) = run("--bits=$bits", "--gc=$gc", @$check, "--torture=$mixture",
                    '--leak-check=scavenges', '-e', $program);
                is($said, $answer, $name);
            }
        }
    }
}

# All frames change tier at every poll point, and back.
for my $mixture ('deopt', 'deopt:3,scavenge:30,collect:500,move') {
    my ($said) = run('--jit=x64,threshold=1,loop-threshold=1', "--torture=$mixture", '--log=info', '-e', $program);
    my ($left, $entered) = $said =~ /(\d+) frames turned into the interpreter's, (\d+) back/;
  SKIP: {
        skip 'built without JIT', 2 if $said =~ /no jit plugin/;
        like($said, qr/^\Q$answer\E/, "$mixture: answers as ever");
        ok($left > 100 && $entered > 100, "$mixture: frames have turned both ways")
            or diag($said);
    }
}

# Memory that is refused is an error of the image's, and never a crash.
for my $period (40, 100, 1000) {
    my ($said, $status) = run("--torture=alloc-fail:$period,seed:5", '--leak-check', '-e', $program);
    ok($status == 0 ? $said eq $answer : $status >> 8 == 1, "alloc-fail:$period: an answer or an error")
        or diag($status, $said);
}

# What is wrong is said.
my @wrong = (
    ['--torture=scavange:5', qr/no 'scavange'; did you mean 'scavenge'/],
    ['--torture=scavenge',   qr/'scavenge' takes a number/],
    ['--torture=move:3',     qr/'move' stands alone/],
    ['--torture=deopt:0',    qr/'deopt' takes a number/],
    ['--torture=collect:0',  qr/'collect' takes a number/],
    ['--leak-check=root',    qr/no 'root'; did you mean 'roots'/],
);
for my $case (@wrong) {
    my ($said, $status) = run($case->[0], '-e', '1');
    like($said, $case->[1], $case->[0]);
    isnt($status, 0, '... and it does not start');
}

# Another collector takes over, and another.
my $switch = '| d n | d := OrderedCollection new. n := 0. '
    . '#(\'sweep\' \'none\' \'sweep,lazy\' \'compact\' \'sweep\' \'compact\') do: [:gc | '
    . 'Smalltalk vm collector: gc. 1 to: 5000 do: [:i | d add: i printString. i \\\\ 50 = 0 ifTrue: [d := OrderedCollection new. n := n + 1]]. '
    . 'n := n + (Smalltalk vm leakCheck at: 1)]. Smalltalk vm collector , n printString';
for my $bits (32, 64) {
    for my $check ([], ['--check=mm,gc']) {
        my ($said) = run("--bits=$bits", @$check, '--torture=scavenge:500,collect:4000', '-e', $switch);
        is($said, "'compact600'\n", "switching collectors, $bits bits @$check");
    }
}
like((run('-e', 'Smalltalk vm collector: \'swep\''))[0], qr/no collector 'swep'/, 'one that is not there');
is((run('-e', 'Smalltalk vm leakCheck first + (Smalltalk vm leakCheck: \'roots,free\') size'))[0], "7\n",
    'leak checks on request');

done_testing();
