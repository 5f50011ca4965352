"""`agentd trace CALL`: draws a call in the terminal, from what lies in its folder."""
