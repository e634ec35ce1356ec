#!/usr/bin/env perl
# Callbacks: a module of primitives, built out of tree against the installed headers alone, sends messages and waits for
# the answers, in all tiers and with a heap that moves all the time.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

is(install_tree(), undef, 'the headers are installed') or BAIL_OUT('no headers');
my $flags = `PKG_CONFIG_PATH='$dir/usr/lib/pkgconfig' pkg-config --define-prefix --cflags osvm 2> /dev/null`;
$flags = "-I$dir/usr/include" unless $flags =~ /-I/;
chomp $flags;
$flags .= ' ' . sanitizers();
mkdir $_ for "$dir/plugins", "$dir/plugins/any";
for my $variant (['', '-DNDEBUG'], ['.checked', '-DOSVM_CHECKED=1']) {
    my $log = `$ENV{CC} -std=gnu11 -O2 -Wall -Wextra -Werror -fPIC -shared -fvisibility=hidden -pthread $flags $variant->[1] -o $dir/plugins/any/prims-calling$variant->[0].so t/callback/calling.c 2>&1`;
    is($?, 0, "the module builds, without a warning$variant->[0]") or BAIL_OUT($log);
}

my @expected = split /\n/, <<'TEXT';
value: 7
arguments: #(1 20 21 3)
seven: 10
super: #abc
collect: #(1 4 9 16 25)
sorted: true
nested: 50
too deep: 150
deepest: #'resource limit exceeded'->200
missing: #foo
resumed: 5
ensured: 10->1
local return: 20->2
return through: #refused
not a block of 0: #arity
waits: #waited
delay: #waited
preempted: 6
out of order: #(#secondBegins #firstReady #secondReady #first #second)
waiting: #(1 2 3)
undeclared: #(#failed #'inappropriate operation')
thread: 6
selector: #(#failed #'bad argument')
arguments: #(#failed #'bad argument')
snapshot: #refused
clone: true
collector: 0
unload: #refused
TEXT

my $has_jit = has_plugin(jit => 'x64');
for my $bits (64, 32) {
    my @ways = ('', '--check', '--torture=scavenge:50,poison', '--gc=sweep --torture=collect:20000,move');
    push @ways, '--jit=x64,threshold=2', '--jit=x64,threshold=2 --check', '--jit=x64,threshold=2 --cpu=sim'
        if $has_jit && $bits == 64;
    for my $way (@ways) {
        my $name = "w$bits" . ($way ? "/$way" : '');
        my @lines = split /\n/, `timeout 1800 '$osvm' --plugin-path='$dir/plugins' --bits=$bits $way t/callback/scenes.st 2> $dir/err`;
        is($? >> 8, 7, "$name: the program ends from within two callbacks");
        is($lines[$_] // '', $expected[$_], "$name: $expected[$_]") for 0 .. $#expected;
        is(scalar @lines, scalar @expected, "$name: nothing else");
        my $said = read_file("$dir/err");
        like($said, qr/primitiveCallUndeclared of calling calls back without having said so/, "$name: undeclared, and told");
        like($said, qr/primitiveOnThread of calling calls back on a thread that is not the VM's/, "$name: a thread, and told");
        like($said, qr/no snapshot while a callback is active/, "$name: a snapshot, and told");
    }
    my $said = `timeout 1800 '$osvm' --plugin-path='$dir/plugins' --bits=$bits t/callback/scenes.st error 2>&1`;
    is($? >> 8, 1, "w$bits: an error that nothing in the callback handles ends the program");
    like($said, qr/ZeroDivide/, "w$bits: ... and is reported");
}
done_testing();
