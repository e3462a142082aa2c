"""All writes of monitoring: rounds, drafts with submission, review with unlocking."""

from biaochi_server.monitoring.actions.reporting import Conflict, Edit, File, NotReady, Saved, refuse_workbook, save_draft, submit, take_workbook
from biaochi_server.monitoring.actions.review import answer_unlock, approve, ask_unlock, return_cells, unlock
from biaochi_server.monitoring.actions.rounds import import_edition, import_observations, move_round, plan_round, remind, set_days

__all__ = [
    "Conflict", "Edit", "File", "NotReady", "Saved", "answer_unlock", "approve", "ask_unlock", "import_edition", "import_observations", "move_round", "plan_round", "refuse_workbook", "remind",
    "return_cells", "save_draft", "set_days", "submit", "take_workbook", "unlock",
]  # fmt: skip
