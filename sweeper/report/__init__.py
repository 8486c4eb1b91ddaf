"""The parts of report.html: from a study's record and answer to the plain data of the page."""
