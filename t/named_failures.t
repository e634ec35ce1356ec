#!/usr/bin/env perl
# Named primitives with operands of every kind: each call must end as it did in OpenSmalltalk's stack interpreter
# (VMMaker.oscog 3185, March 2023) on the same image: with success, or with the same failure code. Of a call that
# succeeds, below, each operand is spoilt in turn, and each field of objects that are made for it.
# t/answers/named-failures-64.txt and named-failures-32.txt have lines `Module.function spoilers: codes`, a code for each
# place, from the left; - is the call as it is (t/support/FailureTable.pm says more).
# What we do otherwise on purpose is listed in t/answers/named-failures-deviations.txt.
#
#   t/named_failures.t FilePlugin primitiveStringHash    these only; every call that differs is named
#   REFERENCE=VM t/named_failures.t --record 64 [NAME...] > FILE    records what VM does (32-bit: 32)
use strict;
use warnings;
use lib 't/support';
use FailureTable;

my $record   = @ARGV && $ARGV[0] eq '--record' && shift @ARGV ? shift @ARGV : 0;
my %only     = map { $_ => 1 } @ARGV;
my $spoilers = @operands;

# What succeeding calls need beside the operands that others are spoilt with.
define_operands(<<'TEXT');
-                nil
3                3
4                4
5                5
99               99
'abcdef'         'abcdef' copy
'cd'             'cd' copy
order            self bytesFrom: 0 to: 255
vowels           self marksOf: 'aeiou'
4words           self wordsOf: Bitmap
room             ByteArray new: 100
runs             #[4 9 170 6 1 2 3 4 7 5 6 7 8] copy
16bytes          ByteArray new: 16
4bytes           #[1 2 127 128] copy
4shorts          DoubleByteArray new: 4
floats           self floatsFrom: #(1.5 -2.5 0.25)
divisors         self floatsFrom: #(2.0 4.0 -0.5)
ones             (1 bitShift: 96) - 1
modulus          (1 bitShift: 64) - 59
inverse          (self inverseOf: 59)
block            self bytesFrom: 1 to: 64
80words          WordArray new: 80
5words           WordArray new: 5
16digits         self digits: 16
8digits          LargePositiveInteger basicNew: 8
divided          self digits: 17 high: 100
divisor          self digits: 8 high: 200
'literals'       'literals' copy
file             self file
there            self fileName
new              self newName
folder           self folder
empty-folder     self emptyFolder
listing          self listing
'inside'         'inside' copy
'type'           'type' copy
8                8
9                9
16               16
26               26
30               30
32               32
blt              BitBltAnswers
form             FormSample
pixels           self wordsOf: Bitmap
pattern          Bitmap with: 16rF0F0F0F0
colours          (Bitmap new: 256) at: 2 put: 7; yourself
stream           StreamSample
deflater         DeflaterSample
inflater         InflaterSample
writer           BitWriterSample
table            self table
286words         WordArray new: 286
30words          WordArray new: 30
16words          WordArray new: 16
codes            ((WordArray new: 300) at: 1 put: 16r00030001; yourself)
tree             Association
socket           self socket
udp              self datagramSocket
bound            self boundSocket
127.0.0.1        #[127 0 0 1] copy
'SO_REUSEADDR'   'SO_REUSEADDR' copy
'1'              '1' copy
TEXT

# The calls: function, receiver, arguments. `=` before: answers, and operands afterwards, are compared too. An operand
# with fields is its class with them in brackets; one behind ! is not spoilt. Behind `without` are spoilers left out:
# of gigabytes it depends on the machine whether there is memory; the reference does not come to an end with names that are code.
my $table = <<'TEXT';
MiscPrimitivePlugin
=primitiveCompareString              !nil 'abcdef' string order
=primitiveFindFirstInString          !nil 'abcdef' vowels 1
=primitiveFindSubstring              !nil 'cd' 'abcdef' 1 order
=primitiveIndexOfAsciiInString       !nil 99 'abcdef' 1
=primitiveStringHash                 !nil 'abcdef' 5
=primitiveTranslateStringWithTable   !nil 'abcdef' 2 5 order
=primitiveCompressToByteArray        !nil 4words room
=primitiveDecompressFromByteArray    !nil !4words runs 2
=primitiveDecompressFromByteArray    !nil !ro-words !runs !2
=primitiveConvert8BitSigned          !nil 4bytes 4shorts
FloatArrayPlugin
=primitiveAt              floats 2
=primitiveAtPut           floats 2 1.5
=primitiveAddFloatArray   floats divisors
=primitiveSubFloatArray   floats divisors
=primitiveMulFloatArray   floats divisors
=primitiveDivFloatArray   floats divisors
=primitiveAddScalar       floats 1.5
=primitiveSubScalar       floats 1.5
=primitiveMulScalar       floats 1.5
=primitiveDivScalar       floats 1.5
=primitiveDotProduct      floats divisors
=primitiveSum             floats
=primitiveLength          floats
=primitiveNormalize       floats
=primitiveEqual           floats divisors
=primitiveHashArray       floats
LargeIntegers
=primDigitAdd                 2^64 2^64-1
=primDigitSubtract            2^64 2^64-1
=primDigitMultiplyNegative    2^64 2^64-1 false
=primDigitDivNegative         2^64 2^64-1 false
=primDigitBitAnd              2^64-1 2^64
=primDigitBitOr               2^64-1 2^64
=primDigitBitXor              2^64-1 2^64
=primDigitBitShiftMagnitude   2^64-1 5                       without 2^32 maxVal
=primDigitCompare             2^64 2^64-1
=primAnyBitFromTo             2^64 5 99
=primNormalizePositive        8digits
=primNormalizeNegative        -2^63
=primMontgomeryTimesModulo    2^32 ones modulus inverse
primMontgomeryDigitLength     !nil
primGetModuleName             !nil
DSAPrims
=primitiveExpandBlock                !nil block 80words
=primitiveHashBlock                  !nil 80words 5words
=primitiveBigMultiply                !nil 2^64 2^64-1 16digits
=primitiveBigDivide                  !nil divided divisor 16digits
=primitiveHighestNonZeroDigitIndex   !nil 8digits
primitiveHasSecureHashPrimitive      !nil
ZipPlugin
=primitiveUpdateAdler32    !nil 1 2 5 bytes
=primitiveUpdateGZipCrc32  !nil 1 2 5 bytes
=primitiveDeflateUpdateHashTable   !nil words 2
primitiveDeflateBlock              deflater('literals' 8 8 table table 0 0 0 room table 286words 30words 0 0 nil) 5 2 3
primitiveInflateDecompressBlock    inflater(room 0 0 5 0 0 room 1 0 nil nil nil nil) 30words 30words
primitiveZipSendBlock              writer(room 0 0 0 0 nil nil) stream(room 0 0) stream(words 0 0) tree(30words 30words) tree(30words 30words)
SecurityPlugin
primitiveGetUntrustedUserDirectory   !nil
primitiveGetSecureUserDirectory      !nil
primitiveCanWriteImage               !nil
UUIDPlugin
primitiveMakeUUID   16bytes
BitBltPlugin
primitiveCopyBits         !blt(form(pixels 2 2 !32 nil) form(pixels 2 2 !32 nil) nil 3 0 0 2 2 0 0 0 0 2 2 nil nil)
primitiveCopyBits         !blt(form(pixels 4 4 !8 nil) form(pixels 4 4 !8 nil) !form(pattern 32 1 !1 nil) 26 0 0 4 4 0 0 0 0 4 4 !colours nil)
primitiveCopyBits         !blt(!form(pixels 2 2 !32 nil) !form(pixels 2 2 !32 nil) !nil 30 !0 !0 !2 !2 !0 !0 !0 !0 !2 !2 !nil !nil) 99
primitivePixelValueAt     form(pixels 2 2 !32 nil) 1 1
primitivePixelValueAtPut  form(pixels 2 2 !32 nil) 1 1 99
FilePlugin
primitiveFileOpen                  !nil there true
primitiveFileOpenNew               !nil new
primitiveFileClose                 !nil file
=primitiveFileRead                 !nil file room 2 5
=primitiveFileWrite                !nil file 'abcdef' 2 3
=primitiveFileGetPosition          !nil file
=primitiveFileSetPosition          !nil file 5
=primitiveFileSize                 !nil file
=primitiveFileTruncate             !nil file 5
=primitiveFileAtEnd                !nil file
=primitiveFileFlush                !nil file
=primitiveFileSync                 !nil file
primitiveFileDelete                !nil there
primitiveFileRename                !nil there new
primitiveFileStdioHandles          !nil
primitiveFileDescriptorType        !nil 0
primitiveConnectToFileDescriptor   !nil 1 true
primitiveDirectoryCreate           !nil new   without method f-method
primitiveDirectoryDelete           !nil empty-folder   without method f-method
=primitiveDirectoryDelimitor       !nil
primitiveDirectoryLookup           !nil folder 1   without method f-method
primitiveDirectoryEntry            !nil folder 'inside'   without method f-method
primitiveDirectoryGetMacTypeAndCreator !nil there 'type' 'type'   without method f-method
primitiveDirectorySetMacTypeAndCreator !nil there 'type' 'type'   without method f-method
=primitiveHasFileAccess            !nil
FileAttributesPlugin
=primitiveFileExists            !nil there
primitiveFileAttribute          !nil there 8
primitiveFileAttributes         !nil there 1
=primitiveFileMasks             !nil
primitiveOpendir                !nil folder
primitiveReaddir                !nil listing
primitiveRewinddir              !nil listing
primitiveClosedir               !nil listing
primitiveChangeMode             !nil there 255
primitiveChangeOwner            !nil there 0 0
primitiveSymlinkChangeOwner     !nil there 0 0
=primitiveStToPlatPath          !nil 'abcdef'
=primitivePlatToStPath          !nil 'abcdef'
primitivePathMax                !nil
primitiveVersionString          !nil
SocketPlugin
primitiveInitializeNetwork              !nil 0
primitiveHasSocketAccess                !nil
primitiveResolverStatus                 !nil
primitiveResolverError                  !nil
primitiveResolverHostNameSize           !nil
primitiveResolverHostNameResult         !nil room
primitiveSocketCreate                   !nil 0 0 8 8 0
primitiveSocketCreate3Semaphores        !nil 0 0 8 8 0 0 0
primitiveSocketCloseConnection          !nil socket
primitiveSocketAbortConnection          !nil socket
primitiveSocketDestroy                  !nil socket
primitiveSocketListenOnPort             !nil socket 0
primitiveSocketListenOnPortBacklog      !nil socket 0 1
primitiveSocketListenOnPortBacklogInterface !nil socket 0 1 127.0.0.1
primitiveSocketListenWithBacklog        !nil bound 1
primitiveSocketBindToPort               !nil socket 127.0.0.1 0
primitiveSocketAccept                   !nil bound 8 8 0
primitiveSocketAccept3Semaphores        !nil bound 8 8 0 0 0
primitiveSocketConnectionStatus         !nil socket
primitiveSocketError                    !nil socket
primitiveSocketLocalAddress             !nil bound
primitiveSocketRemoteAddress            !nil bound
primitiveSocketLocalPort                !nil bound
primitiveSocketRemotePort               !nil bound
primitiveSocketLocalAddressSize         !nil bound
primitiveSocketRemoteAddressSize        !nil bound
primitiveSocketConnectToPort            !nil socket 127.0.0.1 1
primitiveSocketGetOptions               !nil socket 'SO_REUSEADDR'
primitiveSocketSetOptions               !nil socket 'SO_REUSEADDR' '1'
primitiveSocketReceiveDataAvailable     !nil socket
primitiveSocketSendDone                 !nil socket
primitiveSocketReceiveDataBufCount      !nil socket room 2 5
primitiveSocketSendDataBufCount         !nil socket 'abcdef' 2 3
primitiveSocketReceiveUDPDataBufCount   !nil udp room 2 5
primitiveSocketSendUDPDataBufCount      !nil udp 'abcdef' 127.0.0.1 9 2 3
LocalePlugin
primitiveLanguage            !nil
primitiveCountry             !nil
primitiveCurrencySymbol      !nil
primitiveCurrencyNotation    !nil
primitiveDecimalSymbol       !nil
primitiveDigitGroupingSymbol !nil
primitiveMeasurementMetric   !nil
primitiveTimeFormat          !nil
primitiveShortDateFormat     !nil
primitiveLongDateFormat      !nil
primitiveTimezoneOffset      !nil
primitiveVMOffsetToUTC       !nil
primitiveDaylightSavings     !nil
TEXT

# One operand of a line: an index, a list of class and fields, or a reference to one that is not spoilt.
sub operand {
    my ($tokens) = @_;
    my $token = shift @$tokens;
    my $is_kept = $token =~ s/^!//;
    my $has_fields = $token =~ s/\($//;
    my $operand = $index{$token} // die "no operand $token\n";
    if ($has_fields) {
        $operand = [$operand];
        push @$operand, operand($tokens) while $tokens->[0] ne ')';
        shift @$tokens;
    }
    return $is_kept ? \$operand : $operand;
}

sub without_marks {
    my ($operand) = @_;
    $operand = $$operand if ref $operand eq 'REF' || ref $operand eq 'SCALAR';
    return ref $operand ? [map { without_marks($_) } @$operand] : $operand;
}

# The same tree, once for each place that is spoilt, with 0 there.
sub spoilt {
    my ($operands, $first) = @_;
    my @trees;
    for my $place ($first .. $#$operands) {
        my $operand = $operands->[$place];
        my $is_kept = ref $operand eq 'REF' || ref $operand eq 'SCALAR';
        $operand = $$operand if $is_kept;
        for my $instead ($is_kept ? () : 0, ref $operand ? spoilt($operand, 1) : ()) {
            push @trees, [map { $_ == $place ? $instead : without_marks($operands->[$_]) } 0 .. $#$operands];
        }
    }
    return @trees;
}

my (@calls, $module, %count);
for (split /\n/, $table) {
    my ($line, $without) = split / without /;
    $line =~ s/([()])/$1 /g;
    my ($function, @words) = split ' ', $line =~ s/\)/ )/gr;
    $module = $function, next unless @words;
    my $is_summed = $function =~ s/^=//;
    next if %only && !$only{$module} && !$only{$function};
    my %is_out = map { $index{$_} => 1 } split ' ', $without // '';
    my @template;
    push @template, operand(\@words) while @words;
    my $label = "$module.$function" . ($count{"$module.$function"}++ ? '-' . $count{"$module.$function"} : '');
    my @blocks = ([[$index{'-'}], [without_marks(\@template)]]);
    my @spoilt = spoilt(\@template, 0);
    push @blocks, [[grep { !$is_out{$_} } 1 .. $spoilers], \@spoilt] if @spoilt;
    push @calls, { label => $label, primitive => "'$function' module: '$module'", arity => $#template, is_summed => $is_summed, blocks => \@blocks };
}

# A VM of 32 bits with this module was not to be had.
sub has { my ($call, $bits) = @_; return $bits == 64 || $call->{label} !~ /^UUIDPlugin/ }

my @packages = ('t/answers/BitBlt');
if ($record) {
    record_answers($record, 'NamedFailureAnswers', [grep { has($_, $record) } @calls], @packages);
} else {
    compare_answers('named-failures', 'NamedFailureAnswers', \@calls, has => \&has, packages => \@packages, in_all_tiers => 1, says_all => scalar %only);
}
