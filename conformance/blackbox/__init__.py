"""Attacks an OAuth 2.1 authorization server for MCP over HTTP, and says what it answered."""
