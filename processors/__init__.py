"""The Faust application: frames in, answers out."""
