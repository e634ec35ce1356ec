#!/usr/bin/env perl
# Under valgrind: the tests in C; expressions in the built-in image and a program of control primitives, in production
# code, both widths, interpreted: it takes the stacks of machine code for parts of one. With OSVM_TEST_LONG only, and
# where there is a valgrind.
# VALGRIND_ONLY=REGEX: those C tests alone.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

plan skip_all => 'runs with OSVM_TEST_LONG' unless delete $ENV{OSVM_TEST_LONG};
plan skip_all => 'there is no valgrind' if system('valgrind --version > /dev/null 2>&1') != 0;
plan skip_all => 'sanitized code does not run there' if sanitizers();

# It keeps a book of all memory that is reserved: without a limit the VM takes terabytes.
my $valgrind = 'ulimit -v 12000000; timeout 7200 valgrind -q --error-exitcode=99';
my $only = $ENV{VALGRIND_ONLY} // '';
$ENV{BUILD} = $build;
$ENV{OSVM_SAMPLE} = 50;    # of the cases of heap_jit_conformance one in so many

# Answers what was said.
sub finds_nothing {
    my ($what, $command) = @_;
    my $said = `$valgrind $command 2>&1`;
    is($? >> 8, 0, "$what: valgrind finds nothing") or diag($said);
    return $said;
}

# Not below valgrind: what wants more memory than there is (huge), has broken files mapped, which valgrind itself reads
# and gives up (loader), hears from a child of vfork, which valgrind makes a fork (world), or has a limit of time (faults).
for my $program (grep { -f && -x && !/_(?:huge|loader|world|faults)\b/ && /$only/ } sort glob("$build/t/*")) {
    my $said = finds_nothing($program =~ s{.*/}{}r, $program);
    like($said, qr/^1\.\.\d+/m, '... and it came to its end');
}
if ($only) {
    done_testing();
    exit;
}

my %answers = (
    '100 factorial printString size' => '158',
    '((1 to: 300) inject: 0.5 into: [ :sum :each | sum + each sqrt ]) truncated' => '3473',
    '[ nil foo ] on: MessageNotUnderstood do: [ :e | e return: 7 ]' => '7',
    '(OrderedCollection new addAll: (1 to: 2000); yourself) asArray size' => '2000',
    "Object compile: 'seven ^ 7'. 3 seven" => '7',
);
for my $bits (64, 32) {
    for my $expression (sort keys %answers) {
        my $said = finds_nothing("w$bits: $expression", qq($osvm --bits=$bits --jit=none -e "$expression"));
        is($said, "$answers{$expression}\n", '... and it answers');
    }
    is(system($osvm, 'build', "--bits=$bits", '--start=ControlProgram run', '-o', "$dir/t.image", 'image',
        't/control/Control'), 0, "w$bits: built");
    my $said = finds_nothing("w$bits: control primitives", "$osvm --jit=none $dir/t.image");
    like($said, qr/^deepUnwind: out$/m, '... to the end');
}
done_testing();
