"""Who answers questions: rules, a model behind a server, or recorded replies."""
