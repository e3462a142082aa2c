"""Help and usage messages of the command line in Chinese."""

from __future__ import annotations

import copy
import re

import click

from biaochi.errors import Lang, Text

CHINESE = {
    "serve": "启动服务器，并先把数据库更新到最新。",
    "manage": "维护服务器：migrate、verify、add_administrator 以及 Django 的命令。",
    "--host": "监听的地址。",
    "--demo": "从零开始，载入山西演示数据；密码只显示一次。",
    "--port": "监听的端口。",
    "serve --workers": "进程数；不填时 SQLite 为 1，PostgreSQL 为核数加 1。",
    "cli": "标尺：由指标体系和数据计算综合指数。",
    "cli.epilog": "PROJECT 为含 biaochi.toml 的文件夹、工作簿（.xlsx）或示例名称。",
    "run": "计算得分和位次，生成工作簿和 HTML 报告。",
    "check": "列出项目的全部问题：文件、行、列及改法。",
    "explain": "展示某单位从原始值到得分的每个数字。",
    "methods": "列出各步骤的方法，或某方法的选项。",
    "example": "列出自带示例，或将其复制到文件夹。",
    "audit": "统计审计：相关、信度、维度、重复信息，每个数字附阈值与来源。",
    "compare": "比较两个项目：位次变动，以及各项选择分别造成多少差异。",
    "diagnose": "诊断各单位：短板、弱项、先机、进位抓手与来路去向。",
    "doubts": "值得电话核实的数据：合计、重复、取整、首位数字、恰好达标、突变。",
    "--total": "某序列为其他序列之和，写作 合计=分项+分项；可多次给出。",
    "--group": "分组名：同组单位互为相邻地区。",
    "trends": "各单位的趋势及其区间，以及单位间是否趋同。",
    "robustness": "在成千上万次模拟中重新排名：区间、并列，以及哪些选择影响位次。",
    "--unit": "列出其全部诊断的单位代码；可多次给出，默认全部单位。",
    "--against": "参照：best、leader、mean、median、target、past、某单位或某期；默认 best。",
    "--peers": "比较对象：分组名，或以逗号分隔的单位代码；默认全部单位。",
    "--no-robustness": "不计算模拟下的位次区间。",
    "--replicates": "模拟次数，默认 10,000；与 --stop-at 同用时为上限。",
    "--seed": "随机种子，默认 1；相同种子得到逐位相同的结果。",
    "--stop-at": "所有平均位次的误差小到此值（如 0.1）即停止。",
    "--of": "要排名的节点，默认总指数；可多次给出。",
    "--samples": "敏感性研究的基本样本数，默认 1,024；0 表示不做。",
    "--workers": "线程或进程数，默认每个处理器一个。",
    "--processes": "用进程代替线程。",
    "--cluster": "已有集群：dask://主机:端口 或 ray://主机:端口。",
    "--fresh": "不接续中断的研究，重新开始。",
    "chain": "将指标体系不同的各版本按写明的规则链接为一个序列。",
    "convert": "将项目无损转换为其他格式；COIN Tool 工作簿也可作为项目。",
    "new": "新建一个可直接运行、带注释的项目文件夹。",
    "--json": "输出 JSON（格式见 docs/reference/json.md）。",
    "--period": "显示哪一期，默认最近一期；--json 含全部各期。",
    "--lang": "输出语言，默认随系统区域设置。",
    "--out": "输出文件夹，默认 ./results/名称。",
    "--no-files": "不写文件。",
    "--everything": "另写统计审计页，并将运行的全部表格写入 NAME-everything.xlsx。",
    "--top": "显示的行数。",
    "--node": "比较哪个节点，默认总指数。",
    "--periods": "各自的期，如 2021,2022；默认均为最近一期。",
    "--method": "cagr、change、linear、exponential 或 theil_sen，默认 linear。",
    "--since": "首期。",
    "--until": "末期。",
    "--rule": "ratio、difference 或 common，默认 ratio。",
    "--at": "链接期，默认为两版共有的第一期。",
    "--base": "各单位均调整为 100 的期。",
    "--to": "格式：csv、parquet、excel、sdmx-csv、sdmx-ml、sdmx-json、json-stat、coinr；默认 csv。",
    "--version": "显示版本并退出。",
    "--help": "显示本帮助并退出。",
}
"""Help in Chinese, by command and option; a test holds it complete."""


class _ChineseFormatter(click.HelpFormatter):
    """Help with Chinese headings."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args.replace("OPTIONS", "选项").replace("COMMAND", "命令").replace("ARGS", "参数"), "用法：")

    def write_heading(self, heading: str) -> None:
        super().write_heading({"Options": "选项", "Commands": "命令"}.get(heading, heading))


class _ChineseContext(click.Context):
    formatter_class = _ChineseFormatter


def in_chinese(group: click.Group) -> click.Group:
    """A copy of the command tree with its help in Chinese."""
    group = copy.deepcopy(group)
    group.epilog = CHINESE["cli.epilog"]
    for command in (group, *group.commands.values()):
        command.help = command.short_help = CHINESE[str(command.name)]
        command.context_class = _ChineseContext
        helper = command.get_help_option(click.Context(command))
        for option in [*command.params, helper]:
            if isinstance(option, click.Option):
                option.help = CHINESE.get(f"{command.name} {option.opts[0]}") or CHINESE[option.opts[0]]
    return group


def usage_message(e: click.UsageError, lang: Lang) -> str:
    """What is wrong with the command as typed, and where help is."""
    said = e.format_message()
    if lang == "zh":
        said = _usage_in_chinese(e, said)
    path = e.ctx.command_path if e.ctx else "biaochi"
    return Text(f"{said}\nHelp: {path} --help", f"{said}\n帮助：{path} --help").to(lang)


def _usage_in_chinese(e: click.UsageError, said: str) -> str:
    """The same in Chinese; click's own words only where there is nothing better."""
    names = re.findall("'([^']+)'", said)
    first = names[0] if names else ""
    if isinstance(e, click.NoSuchOption):
        return f"没有选项 {e.option_name}。" + (f"是否想写 {'、'.join(e.possibilities)}？" if e.possibilities else "")
    if isinstance(e, click.MissingParameter) and e.param is not None:
        return f"缺少参数 {e.param.make_metavar(e.ctx or click.Context(click.Command(None)))}。"
    if isinstance(e, click.BadParameter) and e.param is not None:
        return f"{e.param.opts[0]} 的取值不对。"
    for words, chinese in (
        ("No such command", f"没有命令 {first}。"),
        ("unexpected extra argument", "参数过多。"),
        ("requires an argument", f"选项 {first} 需要取值。"),
    ):
        if words in said:
            return chinese
    return said
