"""How the gateway runs: workers on one socket, an admin process, background processes, and who watches over them."""
