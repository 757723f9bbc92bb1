"""``report.html``: what a bundle spends its bytes on, how its layers fared and what it hears."""
