#!/usr/bin/env perl
# `osvm disasm`: machine code of methods of the built-in image, of source text, of assembled methods.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

plan skip_all => 'built without JIT' unless has_plugin(jit => 'x64');

sub run {
    my ($arguments, $input) = @_;
    my $in = write_file('in', $input // '');
    return run_command("$osvm disasm $arguments <$in");
}

my ($status, $out, $err) = run(q('Object>>yourself'));
is($status, 0, 'a method of the image') or diag($err);
like($out, qr/^Object>>yourself$/m, 'is named');
($status, $out, $err) = run(q('Array>>at:put:'));
is($status, 0, 'a method that the class inherits') or diag($err);
like($out, qr/^Object>>at:put:$/m, 'is named after the class it is from');

my $method = "eachDo: aBlock\n\t1 to: self size do: [ :i | aBlock value: (self at: i) ]\n";
($status, $out, $err) = run('- --class=Array --bytecodes --source', $method);
is($status, 0, 'a method on standard input') or diag($err);
like($out, qr/^Array>>eachDo:$/m, 'is put into the class');
like($out, qr/x64, \d+ bytes of code/, 'the machine');
like($out, qr/\| eachDo: aBlock/, 'the source');
like($out, qr/-- \d+  sendSpecial #value: \(1\)/, 'bytecodes with selectors');
like($out, qr/push aBlock/, 'an argument by name');
like($out, qr/mov i, \w+/, 'a temporary by name');
like($out, qr/vm\.stack_limit/, 'a variable of the VM by name');
like($out, qr/call \{#at:\.target \(stub send\)\}/, 'a send site, not linked');
like($out, qr/\^\^ waits for the answer of #at:, goes on at bytecode \d+/, 'a frame state');
like($out, qr/call stub poll at entry/, 'a trampoline by name');
like($out, qr/== entry of sends/, 'entries');
like($out, qr/frame\.receiver/, 'a slot of the frame');
unlike($out, qr/\.byte/, 'all of it is instructions');
my ($again) = (run('- --class=Array --deterministic', $method))[1];
is((run('- --class=Array --deterministic', $method))[1], $again, 'the same every time');

($status, $out) = run('- --class=Array --json --bytecodes', $method);
is($status, 0, 'as JSON');
is(system("python3 -c 'import json,sys; d=json.load(sys.stdin); assert d[0][\"name\"]==\"Array>>eachDo:\" and len(d[0][\"instructions\"])>50' <<'END'\n$out\nEND"), 0,
    'that is valid');

($status, $out, $err) = run(q(- --class=Point --bytecodes), "scaled: n\n\t| k |\n\tk := n + 1.\n\t^ x * k\n");
is($status, 0, 'a method of a class with instance variables') or diag($err);
like($out, qr/; slot 0, x of self/, 'an instance variable by name');
like($out, qr/\bk\b/, 'its temporary');

($status, $out, $err) = run(q(- --bytecodes),
    "sumOf: all\n\t| sum |\n\tsum := 0.\n\tall do: [ :each | | half | half := each. sum := sum + half ].\n\t^ sum\n");
like($out, qr/^\[\] in Object>>sumOf:$/m, 'blocks follow their method');
like($out, qr/mov half, r\w+/, 'with names of their own');
like($out, qr/-- \d+  pushRemote 0 of \(sum\)/, 'and of what they share');
# The method has machine code by then, whose address stands where its header was.
($status, $out, $err) = run(q(- --deterministic), "sumOf: all\n\tall do: [ :each | | half | half := each. half foo ].\n");
like($out, qr/mov half, r\w+/, 'wherever the code zone is');

($status, $out, $err) = run(q(-), "broken: [\n");
is($status, 65, 'a method that does not compile');
like($err, qr/does not compile/, 'is refused');

write_file('m.asm', "method Object>>answerSeven\n  set sista\n  literals\n    #answerSeven\n    methodClass\n  code\n    pushInt 7\n    returnTop\nend\n");
($status, $out, $err) = run("--asm=$dir/m.asm");
is($status, 0, 'an assembled method') or diag($err);
like($out, qr/^Object>>answerSeven$/m, 'is listed');

# Every method of the image, in either bytecode set.
($status, $out, $err) = run('--summary');
is($status, 0, 'the summary');
my ($methods, $share) = $out =~ /^(\d+) methods, .*: ([\d.]+) % compile$/m;
ok(($methods // 0) > 3000 && $share >= 99.5, "$methods methods, $share % compile") or diag($out);
system("$osvm build image -o $dir/v3.image --bytecodes=v3");
($status, $out, $err) = run("--summary --image=$dir/v3.image");
($methods, $share) = $out =~ /^(\d+) methods, 0 full and [1-9]\d* embedded blocks: ([\d.]+) % compile$/m;
ok(($methods // 0) > 3000 && $share >= 99.5, "V3: $methods methods, $share % compile") or diag($out);
# A zone too small for some, which is said.
($status, $out, $err) = run('--summary --code-zone=16K');
is($status, 1, 'less than 99.5 % is a failure');
like($out, qr/^refused: \S+.*: the code zone has no room for it$/m, 'each is named, with a reason');
like($out, qr/^\d+ refused: the code zone has no room for it$/m, 'and the reasons are counted');

for my $wrong (["'NoSuchClass>>foo'", 66, qr/no class 'NoSuchClass'/],
    ["'Object>>noSuch'", 66, qr/nor inherits a method 'noSuch'/],
    ["Object", 64, qr/is no method/], ["", 64, qr/needs 'Class>>selector'/],
    ["'Object>>yourself' --jit=vax", 69, qr/vax/])
{
    my ($arguments, $code, $message) = @$wrong;
    ($status, $out, $err) = run($arguments);
    is($status, $code, "osvm disasm $arguments: status");
    like($err, $message, "osvm disasm $arguments: message");
}

# What profilers are told: stubs, methods in machine code, caches; start, size, name.
system("$osvm --jit=x64,threshold=1 --code-map=$dir/map -e '(1 to: 30) asArray printString size' >/dev/null") == 0
    or diag('the program with --code-map fails');
open my $map, '<', "$dir/map" or die "no map\n";
my @lines = <$map>;
is(scalar(grep { !/^[0-9a-f]+ [0-9a-f]+ \S/ } @lines), 0, '--code-map: every line has start, size and name');
for my $name ('stub enter', 'store barrier', 'SmallInteger>>printString:') {
    is(scalar(grep { / \Q$name\E$/ } @lines), 1, "--code-map: $name is there once");
}
done_testing();
