#!/usr/bin/env perl
# What a program writes with its own streams, in a world that fails: each error reaches the program, with the
# reason; tried again, all of it is on the disk, once. Nothing fails without a word.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

# Takes every step again until it succeeds; prints the contents' soundness and the number of errors.
write_file('write.st', <<'END');
| path try errors pieces expected stream size written |
path := CommandLine arguments at: 1.
errors := 0.
try := [ :step |
	| result |
	result := nil.
	[ result := step value ] on: FileError do: [ :error |
		errors := errors + 1.
		Stdio stderr nextPutAll: error messageText; lf; flush.
		errors > 50 ifTrue: [ Smalltalk exit: 3 ].
		error retry ].
	result ].
pieces := (1 to: 100) collect: [ :i | (String new: 700 withAll: (Character value: 65 + (i \\ 26))) , i printString ].
stream := try value: [ FileStream forceNewFileNamed: path ].
pieces do: [ :each | try value: [ stream nextPutAll: each ] ].
try value: [ stream flush ].
try value: [ stream sync ].
try value: [ stream position: 3 ].
try value: [ stream nextPutAll: 'xyz' ].
try value: [ stream setToEnd ].
try value: [ stream nextPutAll: 'end' ].
size := try value: [ stream size ].
try value: [ stream truncate: size - 1 ].
try value: [ stream close ].
try value: [ written := path asFileReference contents ].
expected := String new writeStream.
pieces do: [ :each | expected nextPutAll: each ].
expected := expected contents.
expected := (expected first: 3) , 'xyz' , (expected allButFirst: 6) , 'en'.
Stdio stdout nextPutAll: (written = expected ifTrue: [ 'whole' ] ifFalse: [ 'lost' ]); space; print: errors; lf
END

sub run {
    my ($world, @arguments) = @_;
    return run_command("timeout 1800 $osvm --world=$world @arguments");
}

my ($status, $out, $err) = run('live', "$dir/write.st", "$dir/file");
is("$status $out$err", "0 whole 0\n", 'in a world without faults');

my %reason = (EIO => 'Input/output error', ENOSPC => 'No space left on device', EROFS => 'Read-only file system');
my %least = (open => 2, write => 7, seek => 3, sync => 1, truncate => 2, close => 2, read => 1);
for my $operation (sort keys %least) {
    my ($seen, $quiet) = (0, 0);
    for my $n (1 .. 40) {
        my $error = (sort keys %reason)[$n % 3];
        ($status, $out, $err) = run("faulty,fail=$operation:$n,error=$error", "$dir/write.st", "$dir/file");
        next if $err =~ /osvm\.image: |write\.st/; # the VM reads its image, the image its script
        last if $out eq "whole 0\n" && ++$quiet > 3;
        my $said = $err =~ /^Cannot .*: \Q$reason{$error}\E$/m;
        next if $out eq "whole 0\n";
        $seen++;
        is("$status $out", "0 whole 1\n", "$operation $n fails: an error, tried again, and all is there") or diag($err);
        ok($said, "... with its reason") or diag($err);
    }
    cmp_ok($seen, '>=', $least{$operation}, "$operation: failed $seen times in the program");
}

# No write takes more than a few bytes: nobody need know.
($status, $out, $err) = run('faulty,short=7', "$dir/write.st", "$dir/file");
is("$status $out$err", "0 whole 0\n", 'writes that take seven bytes each');

# A full disk stays full: an error that a program does not handle ends it with a report; what came before is there.
write_file('full.st', <<'END');
(CommandLine arguments at: 1) asFileReference writeStreamDo: [ :stream |
	1 to: 100000 do: [ :i | stream print: i; lf ] ]
END
for my $space (0, 1, 5000, 100000) {
    ($status, $out, $err) = run("faulty,space=$space", "$dir/full.st", "$dir/file$space");
    is($status, 1, "a disk with $space bytes: exit code");
    like($err, qr/^FileError: Cannot write to \S*file$space: No space left on device$/m, '... and a report');
    is(-s "$dir/file$space", $space, '... all that there was room for is there');
}

# Left open: the end of the program writes what the VM still has, or says that it cannot.
write_file('open.st', "stream := FileStream forceNewFileNamed: (CommandLine arguments at: 1).\nstream nextPutAll: 'kept'; flushBuffer.\nSmalltalk at: #Stream put: stream\n");
($status, $out, $err) = run('live', "$dir/open.st", "$dir/left");
is("$status $err", '0 ', 'a file left open');
is(-s "$dir/left", 4, '... is written at the end');
($status, $out, $err) = run('faulty,space=0', "$dir/open.st", "$dir/left");
is($err, "osvm: a file that was left open could not be written to its end\n", '... or that it was not is said');
done_testing();
