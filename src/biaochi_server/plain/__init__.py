"""Pure functions under the apps: numbers as people type them, working days, checks of figures, workbooks. No Django."""
