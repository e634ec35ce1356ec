#!/usr/bin/env perl
# Ctrl-C outside of the prompt: in loops, waits, primitives, reading, in scripts and expressions; what was written is not lost.
use strict;
use warnings;
use IO::Select;
use IPC::Open3 qw(open3);
use POSIX qw(:sys_wait_h);
use Test::More;
use lib 't/support';
use OsvmTest;

# Runs the program until it has said "ready" on the standard error, and interrupts it `times` times: if it takes several,
# then rarely again (two signals may have become one) until it says more, since one that is ending takes no interrupts
# any more and dies of the next. Answers exit status and both outputs.
sub interrupted_often {
    my ($times, @command) = @_;
    my $pid = open3(my $in, my $out, my $err = Symbol::gensym(), $osvm, @command);
    my $line = <$err> // '';
    my $said = IO::Select->new($err);
    my ($sent, $due, $ended) = (0, 1, 0);
    for my $tenth (1 .. 1200) {
        select undef, undef, undef, 0.1;
        if ($tenth == $due && !$said->can_read(0)) {
            kill 'INT', $pid;
            $due += ++$sent < $times ? 3 : 100 if $times > 1;
        }
        $ended = waitpid $pid, WNOHANG;
        last if $ended;
    }
    my $status = $?;
    if (!$ended) { kill 'KILL', $pid; waitpid $pid, 0; return ('hangs', '', '') }
    local $/;
    return ($status & 127 ? "signal $status" : $status >> 8, <$out> // '', <$err> // '');
}

sub interrupted {
    return (interrupted_often(1, @_))[0, 1];
}

my $ready    = "Transcript show: 'written'; cr. Stdio stderr nextPutAll: 'ready'; lf; flush. ";
my %programs = (
    'a loop'                    => "$ready [ true ] whileTrue: [ ]",
    'a loop that allocates'     => "$ready [ Array new: 100 ] repeat",
    'a wait for a delay'        => "$ready (Delay forSeconds: 100) wait",
    'many primitives'           => "$ready [ (3 raisedTo: 20000) * (7 raisedTo: 20000) ] repeat",
    'a loop in another process' => "[ $ready [ true ] whileTrue: [ ] ] forkAt: 45. (Delay forSeconds: 100) wait",
    'reading the standard input' => "$ready Stdio stdin nextLine",
    'a recursion'               => "block := nil. block := [ :n | n = 0 ifFalse: [ block value: n - 1 ] ]. $ready [ block value: 1000 ] repeat",
    'an unwind block'           => "[ [ $ready (Delay forSeconds: 100) wait ] ensure: [ Transcript show: 'undone'; cr ] ] value",
);
for my $name (sort keys %programs) {
    my $expected = "written\n" . ($name eq 'an unwind block' ? "undone\n" : '');
    my ($status, $text) = interrupted('-e', $programs{$name});
    is($status, 130, "expression, $name: exit status");
    is($text, $expected, "expression, $name: what was written is there");
    ($status, $text) = interrupted(write_file('script.st', "$programs{$name}\n"));
    is($status, 130, "script, $name: exit status");
    is($text, $expected, "script, $name: what was written is there");
}

my ($status, $text) = interrupted('-e', "[ $ready [ true ] whileTrue: [ ] ] on: UserInterrupt do: [ :each | Smalltalk exit: 7 ]");
is($status, 7, 'UserInterrupt can be handled');

# Interrupts that the image's process for them gets no time for.
my $high = "[ $ready [ true ] whileTrue: [ ] ] forkAt: 70";
my @tiers = ([], ['--jit=none'], ['--jit=none', '--bits=32'], ['--check']);
push @tiers, ['--cpu=sim'] if has_plugin(cpu => 'sim');
for my $options (@tiers) {
    my ($ended, $out, $err) = interrupted_often(3, @$options, '-e', $high);
    is($ended, 130, "@$options: a loop of high priority can be interrupted");
    like($err, qr/no process took the interrupts.*\n  A process of priority 70 runs:\n +\[\] in UndefinedObject>>DoIt\n/,
        '... it is said which process runs, and where');
    like($err, qr/^  A process of priority 40 is ready:\n(    .*\n)+/m, '... and which would like to');
    like($err, qr/^  A process of priority 50 waits for a Semaphore:\n/m, '... or waits');
}
my ($ended, $out, $err) = interrupted_often(6, '-e',
    "| a b | a := String new: 4000000 withAll: \$a. b := (String new: 2000000 withAll: \$a), 'b'. [ $ready a findString: b ] forkAt: 70");
is($ended, 130, 'a primitive that takes for ever can be interrupted');
like($err, qr/^osvm: interrupted again and again while a primitive or a collection runs: ended$/m, '... and why it ended is said');

# Its standard error ends when the kernel has begun to end it.
my $in;
my $pid = open3($in, $out, $err = Symbol::gensym(), $osvm, 'test', 'NoSuchTestAtAll');
1 while <$err>;
kill 'INT', $pid;
waitpid $pid, 0;
is($?, 1 << 8, 'an end before the signal keeps its exit status');

done_testing();
