"""Forms of the plan designer: each edits one part of a draft, in the words of the plan file, and keeps all the rest."""
