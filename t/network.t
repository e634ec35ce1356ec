#!/usr/bin/env perl
# Sockets in worlds other than the live one: a clone that is muted sends nothing and takes nothing from the
# connections of the original; a sandbox has no network. And compressed files, against gzip.
use strict;
use warnings;
use IO::Socket::INET;
use Test::More;
use lib 't/support';
use OsvmTest;

sub lines { return [split /\n/, join '', @_] }

my $clone = write_file('clone.st', <<'END');
| server client accepted clone |
server := Socket listenOn: 0.
client := Socket connectTo: '127.0.0.1' port: server localAddress port.
accepted := server accept.
client timeout: 20.
accepted timeout: 20.
clone := Clone do: [
	client send: 'from the clone'.
	accepted timeout: 0.1.
	[ accepted receive: 100. false ] on: NetworkTimeout do: [ :error |
		[ Socket listenOn: 0. false ] on: NetworkError do: [ :refused | true ] ] ].
client send: 'from the original'.
Stdio stdout print: clone wait; lf; nextPutAll: (accepted receive: 100) asString; lf.
accepted close.
Stdio stdout print: client stream upToEnd; lf.
END

my $denied = write_file('denied.st', <<'END');
Stdio stdout print: ([ Socket listenOn: 0. #open ] on: NetworkError do: [ :error | #refused ]); lf.
Stdio stdout print: ([ SocketAddress host: 'localhost' port: 1. #found ] on: NetworkError do: [ :error | #refused ]); lf.
END

# The other end is another program.
my $client = write_file('client.st', <<'END');
| stream |
stream := SocketStream openConnectionTo: '127.0.0.1' port: (CommandLine arguments at: 1) asInteger.
stream nextPutAll: 'hello'; nl.
Stdio stdout nextPutAll: stream nextLine; lf.
stream close.
END

for my $bits (64, 32) {
    for my $variant ('', '--check') {
        my $name = "w$bits/" . ($variant ? 'checked' : 'production');
        my @run  = ($osvm, "--bits=$bits", $variant || ());
        is_deeply(lines(`@run $clone 2>&1`), ['true', 'from the original', "''"], "$name: a clone is silent");
        is_deeply(lines(`@run --world=denied -- - < $denied 2>&1`), ['#refused', '#refused'], "$name: a sandbox");
        my $server = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', Timeout => 600) or die "no server: $!\n";
        my $port   = $server->sockport;
        open my $output, '-|', "@run $client $port 2>&1" or die "$osvm: $!\n";
        my $accepted = $server->accept;
        my $line     = <$accepted>;
        print $accepted uc $line;
        is_deeply(lines(<$output>), ['HELLO'], "$name: another program is the server");
        is(scalar(<$accepted>), undef, "$name: ... and sees the end");
        close $output;
    }
}

my $compress = write_file('compress.st', <<'END');
FileStream forceNewFileNamed: (CommandLine arguments at: 2) do: [ :file |
	GZipWriteStream on: file binary do: [ :stream |
		stream nextPutAll: (FileStream readOnlyFileNamed: (CommandLine arguments at: 1)) binary upToEnd ] ].
END
my $decompress = write_file('decompress.st', <<'END');
Stdio stdout binary nextPutAll: (GZipReadStream on: (FileStream readOnlyFileNamed: (CommandLine arguments at: 1)) binary) upToEnd
END
my @files = ($osvm, 'kernel/vm/core.c', '/dev/null');
for my $file (@files) {
    system $osvm, $compress, $file, "$dir/ours.gz";
    is(system("gzip -dc $dir/ours.gz | cmp -s - $file"), 0, "gzip reads what we compress of $file");
    cmp_ok(-s "$dir/ours.gz", '<', 1.01 * (length `gzip -6 -c $file`) + 50, '... which is about as small');
    system "gzip -c $file > $dir/theirs.gz";
    is(system("$osvm $decompress $dir/theirs.gz | cmp -s - $file"), 0, '... and we what gzip compresses');
}
done_testing();
