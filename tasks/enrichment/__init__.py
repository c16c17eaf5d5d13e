"""Summaries: within a budget, resumable, and never a leak.

What a flow calls:

    check_settings(settings, key_provider, language)            nocturna.tasks.enrichment.readiness
        Before any work; one clear line (UsageError) for a missing key, budget, price or package.

    estimate(documents, settings, language, state_folder)       nocturna.tasks.enrichment.estimate
        For a dry run: documents, tokens and cost in each mode. Sends nothing.

    summarise(documents, settings, language=..., state_folder=..., run_id=..., progress=...,
              stop=..., total=..., key_provider=...)       nocturna.tasks.enrichment.summary_stream
        Yields tables with `SUMMARY_SCHEMA`, one row a document, in the order of the documents,
        in bounded memory. Call it once a run with all documents (batch jobs are then under way
        together); calling it once a shard also works, in online and flex mode at little loss.

`SUMMARY_SCHEMA` describes every column in its field metadata. Rows with a status in
`WORTH_ASKING_AGAIN` may be given again the next night; the others are final.

State lives in `state_folder/summaries.sqlite`, shared by jobs and by runs at the same time: the
answers, who is asking what, the ledger of every call and the batch jobs. The folder must be on a
local disk (SQLite and file locks). Deleting it forgets answers that were paid for.

`progress` is called about once a second with a `Progress`; `stopped` and `spent_usd` of the last
one belong in the manifest. Once `stop()` is true the calls in hand are awaited, which may take as
long as the time-out of one call.

Errors: a refused key, an unknown model or a forbidden project stops the stage, not the run: the
remaining rows get the status `error` with the reason, and the last `Progress` carries it in
`stopped`. `nocturna.tasks.errors.Stopped` is raised when `stop()` turns true, after the calls in
hand have been answered and kept.

The service is a provider, a file in `providers/`; its client is imported at the first call.
"""
