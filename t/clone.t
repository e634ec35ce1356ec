#!/usr/bin/env perl
# Clones of a running VM: what an image saves in the background while it goes on, and what a clone may do.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

# What the image holds when it is saved stays in the file, whatever the original does meanwhile.
my $save = write_file('save.st', <<'END');
| clone |
Smalltalk at: #Kept put: (1 to: 200000) asArray.
clone := Smalltalk saveInBackgroundAs: (CommandLine arguments at: 1).
(Smalltalk at: #Kept) at: 1 put: #changed.
Smalltalk garbageCollect.
Stdio stdout print: clone wait; lf; print: clone status; lf; print: ((Smalltalk at: #Kept) at: 1); lf.
END

# A clone shares nothing that it changes, and is silent unless told otherwise.
my $clones = write_file('clones.st', <<'END');
| value silent loud failing file nested |
value := 1.
file := CommandLine arguments at: 1.
silent := Clone do: [
	value := 2. Stdio stdout nextPutAll: 'never seen'; lf; flush.
	file asFileReference writeStreamDo: [ :stream | stream nextPutAll: 'never written' ].
	value = 2 ].
Stdio stdout print: silent wait; lf; flush.
loud := Clone do: [ Stdio stdout nextPutAll: 'from the clone'; lf; flush. true ] muted: false.
Stdio stdout print: loud wait; lf; flush.
failing := Clone do: [ 1 / 0. true ].
Stdio stdout print: failing wait; lf; print: failing status; lf; flush.
nested := Clone do: [ (Clone do: [ Stdio stdout nextPutAll: 'never seen'; flush. true ] muted: false) wait ].
Stdio stdout print: nested wait; lf; flush.
Stdio stdout print: (Clone do: [
	(1 to: 30) do: [ :i | (1 to: 2000) collect: [ :j | j printString ] ].
	Smalltalk garbageCollect. Smalltalk vm leakCheck first = 0 ]) wait; lf; flush.
Stdio stdout print: (Clone do: [ (Delay forMilliseconds: 3) wait. true ]) wait; lf; flush.
Stdio stdout print: ((1 to: 20) inject: true into: [ :all :i |
	all & (Clone do: [ (1 to: 1000) inject: 0 into: [ :a :b | a + b ]. true ]) wait ]); lf; flush.
Stdio stdout print: ([ Clone process: 1. (Clone process: 1) wait ] on: Error do: [ :error | #refused ]); lf.
Stdio stdout print: value; lf.
END
my $expected = "true\nfrom the clone\ntrue\nfalse\n1\ntrue\ntrue\ntrue\ntrue\n#refused\n1\n";

my $has_jit = has_plugin(jit => 'x64');
for my $bits (64, 32) {
    my @ways = ('', '--check', '--gc=sweep,lazy');
    # A small zone: original and clone throw methods out and write others all the time.
    push @ways, '--jit=x64,threshold=2', '--jit=x64,threshold=2 --cpu=sim',
        '--jit=x64,threshold=1,loop-threshold=1 --code-zone=48K --torture=deopt:5' if $has_jit && $bits == 64;
    for my $way (@ways) {
        my $name = "w$bits" . ($way ? "/$way" : '');
        unlink "$dir/saved.image";
        my $said = `timeout 1800 $osvm $way --bits=$bits $save $dir/saved.image 2>&1`;
        is($said, "true\n0\n#changed\n", "$name: saved in the background");
        is(system("$osvm check $dir/saved.image > /dev/null"), 0, "$name: ... it is sound");
        is(`timeout 1800 $osvm $way $dir/saved.image -e '(Smalltalk at: #Kept) first -> (Smalltalk at: #Kept) last' 2>&1`,
            "1->200000\n", "$name: ... and holds what was there when it was cloned");
        is(`timeout 1800 $osvm $way --bits=$bits $clones $dir/written 2>&1`, $expected, "$name: clones");
        ok(!-e "$dir/written", "$name: ... wrote nothing");
    }
    like(`$osvm --bits=$bits $save $dir/no/such/folder.image 2>&1`, qr{^osvm: .*no/such.*\nfalse\n73\n}m,
        "w$bits: a clone that cannot write says so and ends with 73");
    like(`$osvm --world=denied --bits=$bits -e 'Clone do: [ true ]' 2>&1`, qr/cannot be cloned/,
        "w$bits: a denied world has no clones");
}
done_testing();
