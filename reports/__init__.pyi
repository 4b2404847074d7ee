from .export.export import export_results as export_results
from .page.report import main_table as main_table
from .page.report import main_table_text as main_table_text
from .page.report import write_report as write_report
from .several.page import report_several as report_several
