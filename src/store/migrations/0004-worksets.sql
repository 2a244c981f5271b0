-- How the pipeline of a workset is run.

ALTER TABLE cases ADD COLUMN workset TEXT;
