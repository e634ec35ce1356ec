#!/usr/bin/env perl
# The interpreter's loop is threaded: each bytecode ends in an indirect jump of its own. A compiler
# that merges them makes the loop slower without a wrong result anywhere, so the jumps in
# the built loop are counted. Compilers share them on purpose where they do not optimise.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

my $least = 150; # of some 260 with gcc 12, 175 with clang 14; one or a few when merged

open my $file, '<', "$build/flags" or plan skip_all => "no $build/flags: built elsewhere";
my $flags = join '', <$file>;
plan skip_all => 'built without optimisation' if $flags !~ /-O[1-3]/;
plan skip_all => 'built with sanitizers' if $flags =~ /-fsanitize/;
plan skip_all => 'objdump is missing' if system('objdump --version >/dev/null 2>&1') != 0;
chomp(my $machine = `uname -m`);
plan skip_all => "indirect jumps of $machine are not known here" if $machine ne 'x86_64';

for my $width (32, 64) {
    my $core = "$build/lib/osvm/$width/core-osvm.so";
    my @code = `objdump -d --no-show-raw-insn --disassemble=interpret '$core'`;
    my $jumps = grep { /\bjmp\s+\*/ } @code;
    cmp_ok($jumps, '>=', $least, "w$width: at least $least indirect jumps in interpret(): $jumps");
}
done_testing();
