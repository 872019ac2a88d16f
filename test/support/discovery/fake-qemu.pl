# A process that looks like a QEMU with a monitor and behaves as told: `fake-qemu.pl BEHAVIOUR SOCKET [QEMU's words]`.
# Run by a copy of perl under the name of a QEMU. It prints a line for whatever reaches it.
use strict;
use warnings;
use IO::Socket::UNIX;
$| = 1;
my ($behaviour, $path) = @ARGV;
unlink $path;
my $listener = IO::Socket::UNIX->new(Local => $path, Listen => 1) or die "$path: $!";
print "listening\n";
my $greeting = '{"QMP": {"version": {}, "capabilities": []}}' . "\r\n";
while (my $client = $listener->accept) {
    print "client\n";
    $client->autoflush(1);
    $SIG{PIPE} = 'IGNORE';
    if ($behaviour eq 'silent') { <$client>; }
    elsif ($behaviour eq 'garbage') { print $client join('', map { chr(rand 256) } 1 .. 4000), "\n"; <$client>; }
    elsif ($behaviour eq 'floods') { while (print $client 'x' x 65536) { } }
    elsif ($behaviour eq 'drips') { while (print $client ' ') { select undef, undef, undef, 0.02; } }
    elsif ($behaviour eq 'stops') { print $client $greeting; 1 while <$client>; }
    elsif ($behaviour eq 'lies') {
        print $client $greeting;
        while (my $line = <$client>) {
            my ($id) = $line =~ /"id":(\d+)/;
            print $client qq({"return": {"name": "\\u0000\\n", "UUID": 7, "x": [[[[]]]]}, "id": $id}\n) if defined $id;
            print $client qq({"event": "NIC_RX_FILTER_CHANGED", "data": null}\n);
        }
    }
    print "left\n";
}
