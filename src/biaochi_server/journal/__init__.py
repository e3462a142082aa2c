"""The journal: every change, who made it, why; append-only, hash-chained."""
