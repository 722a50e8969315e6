"""What composes the stages for a person or a client: command line, dashboard, gateway, one-machine stack."""
