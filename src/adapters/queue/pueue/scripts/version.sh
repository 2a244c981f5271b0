# Prints which version the client is of. Put after client.sh.
found
client --version </dev/null
