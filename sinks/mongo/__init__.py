"""The MongoDB sink: answers, tracks, outcomes, stream states and reasons as documents."""
