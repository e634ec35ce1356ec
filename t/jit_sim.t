#!/usr/bin/env perl
# Machine code on the simulated processor: whole images, moves between processors, faults.
use strict;
use warnings;
use IO::Select;
use IPC::Open2 qw(open2);
use Test::More;
use POSIX ();
use lib 't/support';
use OsvmTest;

my $jit   = "$build/lib/osvm/64/jit-x64.so";
plan skip_all => 'built without JIT' unless -e $jit;

sub run {
    my ($options, @environment) = @_;
    return run_command("@environment $osvm $options");
}

# A program that collects, makes objects of several kinds, sends, returns through blocks, and
# switches processes.
my $program = <<'END';
| words sum |
words := OrderedCollection new.
sum := 0.
1 to: 3000 do: [ :i |
	words addLast: i printString.
	sum := sum + (words last size * i) ].
1 to: 40 do: [ :i | (Array new: 5000) at: i put: words ].
sum := sum + 60 factorial printString size.
#(1 2.5 3) do: [ :each | sum := sum + each ].
sum printString size + (#(3 1 2) detect: [ :each | each = 1 ])
END
my ($status, $expected, $err) = run("--jit=none -e '$program'");
is($status, 0, 'the program in the interpreter') or diag($err);
my $all = '--jit=x64,threshold=1,loop-threshold=1';
for my $options ("$all", "$all --cpu=sim", "$all --cpu=sim:checked", "$all --cpu=sim,ring=100",
    "$all --cpu=sim,stores=slow", "--jit=x64 --cpu=sim", "$all --cpu=sim --gc=sweep",
    "$all --torture=deopt:3 --cpu=sim", "$all --cpu=sim --code-zone=128K", "--check $all --cpu=sim",
    "$all --torture=deopt:1 --cpu=sim --code-zone=128K --eden=64K", "$all --cpu=sim,translations=1 --code-zone=128K")
{
    my ($status, $out, $err) = run("$options -e '$program'");
    is($out, $expected, "$options: the same output");
    is($status, 0, "$options: status") or diag($err);
}

# A library whose symbols come before the plugin's, which then replaces nothing in it.
my ($preload) = grep { -e } glob '/usr/lib/*/libunicorn.so.2 /usr/lib/libunicorn.so.2 /usr/local/lib/libunicorn.so.2';
SKIP: {
    skip 'no library to put first', 3 if !$preload || (run('--version', "LD_PRELOAD=$preload"))[0];
    like((run('plugins', "LD_PRELOAD=$preload"))[1], qr/stores: slow/, 'a library that calls its own functions');
    my ($status, $out, $err) = run("$all --cpu=sim -e '$program'", "LD_PRELOAD=$preload");
    is($out, $expected, '... the same output');
    is($status, 0, '... status') or diag($err);
}

# Determinism: the same instructions.
my $traced = "--deterministic $all --cpu=sim --trace-hash -e '$program'";
my @hashes = map { (run($traced))[2] =~ /trace hash (\w{16} of \d+) instructions/ ? $1 : 'none' } 1 .. 2;
is($hashes[0], $hashes[1], 'two runs, one hash');
isnt($hashes[0], 'none', "it is said: $hashes[0]");
is((run($traced =~ s/--cpu=sim/--cpu=sim,translations=1/r))[2] =~ /trace hash (\w{16} of \d+)/ ? $1 : 'none', $hashes[0],
    '... also where translations are thrown out on the way');
my ($other) = (run("--deterministic $all --cpu=sim --trace-hash -e '3+4'"))[2] =~ /trace hash (\w+)/;
isnt($other, (split / /, $hashes[0])[0], 'another program, another hash');

# Moving at a point of logical time.
for my $move ('--sim-from=1', '--sim-from=500', '--sim-until=500', '--sim-from=300 --sim-until=20000',
    '--sim-from=1000000000')
{
    my ($status, $out, $err) = run("--deterministic $all $move --trace-hash -e '$program'");
    is($out, $expected, "$move: the same output");
    is($status, 0, "$move: status") or diag($err);
    my ($count) = $err =~ /of (\d+) instructions/;
    if ($move =~ /1000000000/) {
        is($count, 0, "$move: nothing was simulated");
    } else {
        my ($whole) = $hashes[0] =~ /of (\d+)/;
        ok($count > 0 && $count < $whole, "$move: $count of $whole instructions were");
    }
}

# Saved images: simulated twice and native, byte for byte the same.
{
    my (%hash, %image);
    for my $run ('--cpu=sim', '--cpu=sim --log=error', '--cpu=native') {
        my ($status, $out, $err) = run("--deterministic --trace-hash $all $run -e 'Smalltalk saveAs: \"$dir/s.image\" . 3'" =~ s/"/'\\''/gr);
        is("$status $out", "0 3\n", "$run: an image is saved") or diag($err);
        $image{$run} = read_file("$dir/s.image") // next;
        ($hash{$run}) = $err =~ /trace hash (\w+ of \d+)/;
        unlink "$dir/s.image";
    }
    is($hash{'--cpu=sim --log=error'}, $hash{'--cpu=sim'}, 'the same instructions');
    ok($hash{'--cpu=sim'}, 'which were counted');
    ok(length $image{'--cpu=sim'} > 1000000 && $image{'--cpu=sim --log=error'} eq $image{'--cpu=sim'}, 'the same image');
    ok($image{'--cpu=native'} eq $image{'--cpu=sim'}, 'and natively');
}

# Moving on signals, there and back all the time. The VM takes them once its main thread blocks them for its helper
# thread, and until it ends, which it does when it is told to.
sub takes_signals {
    my ($process) = @_;
    open my $status, '<', "/proc/$process/status" or return 1;
    local $/;
    return <$status> =~ /^SigBlk:\s*[0-9a-f]*[2367abef][0-9a-f]{2}$/m;
}
{
    my $child = open2(my $out, my $in, "exec $osvm $all --trace-hash -e '"
        . "[:n | | k | k := 0. 1 to: n do: [:i | k := k + (i bitAnd: 7)]. Stdio stdout print: k; lf; flush] "
        . "value: 400000000. Stdio stdin nextLine' 2>$dir/err");
    select undef, undef, undef, 0.01 until takes_signals($child);
    my $answers = IO::Select->new($out);
    my $moves   = 0;
    do { kill 'USR1', $child; $moves++ } until $answers->can_read(0.1);
    is(scalar <$out>, "1400000000\n", "a program that got SIGUSR1 $moves times answers right");
    close $in;
    waitpid $child, 0;
    is($?, 0, '... ends well');
    like(read_file("$dir/err"), qr/of [1-9]\d* instructions/, '... and some of it was simulated');
}

# Faults.
sub fault {
    my ($fault, $options) = @_;
    return run("--plugin-path=$build/t/plugins/faults --jit=faulty $options -e '3+4'", "FAULT=$fault",
        "REAL_JIT=$jit");
}
my %said = (illegal => qr/illegal instruction/, trap => qr/trap 3/,
    read => qr/read outside of memory at 0x70000040/, write => qr/write outside of memory at 0x70000040/,
    jump => qr/jump to where no code is at 0x12345678/, stack => qr/misaligned stack at .* in a call of send/);
my %instruction = (illegal => qr/ud2/, trap => qr/int3/, read => qr/mov rax, qword ptr \[0x70000040\]/,
    write => qr/mov qword ptr \[0x70000040\], rax/, jump => qr/-> 000012345678  outside of the code zone/,
    stack => qr/^  -> [0-9a-f]+  outside of the code zone/m);
for my $fault (sort keys %said) {
    for my $options ('--cpu=sim', '--cpu=sim,ring=32') {
        my ($status, $out, $err) = fault($fault, $options);
        is($status, 70, "$fault, $options: an end, not a crash");
        like($err, $said{$fault}, "$fault, $options: says what");
        like($err, $instruction{$fault}, "$fault, $options: the instruction");
        like($err, qr/^    r14  [0-9a-f]{16}  \S/m, "$fault, $options: registers, with what they hold");
        like($err, qr/^  frames\n(    .*\n)+.*DoIt/m, "$fault, $options: Smalltalk frames");
        like($err, qr/jmp rax .* in .*>>/, "$fault, $options: who jumped")
            if $fault eq 'jump' && $options =~ /ring/;
        like($err, qr/call routine send .* in .*>>.*\n  -> /, "$fault, $options: who called")
            if $fault eq 'stack' && $options =~ /ring/;
    }
}
done_testing();
