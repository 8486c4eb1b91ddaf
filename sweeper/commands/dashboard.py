"""python -m sweeper dashboard: optuna-dashboard on a study."""

from sweeper.answer.answer import answer_of
from sweeper.commands.arguments import Arguments
from sweeper.commands.studies import chosen_study, open_study


def dashboard(arguments: Arguments) -> int:
    """Serve it until Ctrl-C."""
    from sweeper.tracking.optuna_dashboard import serve_dashboard

    study = open_study(chosen_study(arguments), arguments.storage)
    notes = {} if study.search is None else {study.record.name: answer_of(study.record).sentence}
    serve_dashboard(
        study.storage,
        study.folder.artifacts,
        show=lambda line: print(line, flush=True),
        port=arguments.number("port"),
        notes=notes,
    )
    return 0
