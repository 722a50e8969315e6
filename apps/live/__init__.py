"""WebSockets for live pictures and answers, their tickets and their sessions; the apps mount them on their servers."""
