r"""The shapes that secrets have in command lines, scripts, settings and addresses: a table, no logic. `redact` applies it.

In the patterns @GAP is blanks on one line, @OPT blanks or nothing, @VALUE a word or a quoted text, @BARE the same up to a semicolon,
@WORD any one argument, @NAME what passwords are called, @KEY what keys and tokens are called, @NEXT "no switch follows". The group
`secret` is what must go. Every repetition has a bound.
"""

from __future__ import annotations

import re

import msgspec

_QUOTED = r"&quot;(?:(?!&quot;)[^\r\n]){1,512}&quot;|\"[^\"\r\n]{1,512}\"|'[^'\r\n]{1,512}'"
_ENTITY = r"&(?:amp|lt|gt|apos);"
_PARTS = {
    "@GAP": r"[ \t]{1,60}",
    "@OPT": r"[ \t]{0,60}",
    "@VALUE": rf"(?P<secret>{_QUOTED}|(?:[^\s\"'<>|&]|{_ENTITY}){{1,512}})",
    "@BARE": rf"(?P<secret>{_QUOTED}|(?:[^\s\"'<>|&;]|{_ENTITY}){{1,512}})",
    "@WORD": r"(?:\"[^\"\r\n]{1,200}\"|[^\s\"'<>|&]{1,200})",
    "@NEXT": r"(?!-{1,2}[A-Za-z]|/[A-Za-z]{1,20}\b)",
    "@NAME": r"(?:password|passwd|passphrase|passwort|kennwort|contrasena|senha|pwd)\d{0,2}",
    "@KEY": (
        r"(?:api[_-]?key|access[_-]?key(?:[_-]?id)?|account[_-]?key|client[_-]?secret|shared[_-]?(?:access)?key|secret(?:[_-]?key)?"
        r"|(?<!publickey)token|encryption[_-]?key|community[_-]?string)"
    ),
    "@END": r"(?:&quot;|[\"']|\\\")?",
    "@IS": r"[ \t]{0,20}(?::=|=>|[:=])[ \t]{0,20}",
    "@FTP": r"(?:bin|binary|ascii|cd|lcd|get|put|mget|mput|prompt|quit|bye|quote|option|dir|ls|hash|mkdir|del)\b",
    "@LINE": r"^[ \t]{0,20}(?:@?echo[ \t.]{1,20})?(?:quote[ \t]{1,20})?",
    "@ECHO": r"[ \t(]{0,20}(?:>{1,2}[ \t]{0,20}[^\s<>|&]{1,255}[ \t]{1,20})?@?echo[ \t.(]{1,20}",
    "@INTO": r"[ \t]{0,20}(?:>{1,2}[ \t]{0,20}(?:\"[^\"\r\n]{1,255}\"|[^\s<>|&]{1,255}))?[ \t)]{0,20}",
    "@ORACLE": r"(?:\\?[\"'])?[\w.$#-]{1,64}/(?:\\?\")?(?P<secret>[^\s@\"'<>|/\\]{1,128})(?:\\?[\"'])?",
    "@LAST": r"(?P<secret>[^\s<>|&]{1,128})[ \t]{0,20}(?:>|\r?$)",
}
SEPARATOR = r"(?:[\"']?[ \t]{1,20}|[\"']?\s{0,20}</Command>\s{0,200}<Arguments>\s{0,20})"
"""Between a program and its arguments: in a command line, or in task XML."""

SECRET_NAME = re.compile(
    rf"{_PARTS['@NAME']}|passcode|pass$|pw$|{_PARTS['@KEY']}|private[_-]?key|credential|cookie|^community$".replace("(?<!publickey)", ""),
    re.IGNORECASE,
)
"""Names of values whose data is a secret as a whole."""


class Shape(msgspec.Struct, frozen=True):
    """A shape that shows itself."""

    needles: tuple[str, ...]
    """Lower-case texts, one of which is there whenever the pattern can match."""
    pattern: re.Pattern[str]


class Tool(msgspec.Struct, frozen=True):
    """A program whose switches are too short to tell anything without the program's name."""

    needles: tuple[str, ...]
    """Lower-case names of the program and its kin."""
    marks: tuple[str, ...]
    """Lower-case texts, one of which is in the arguments whenever the pattern can match; empty where there is none to tell."""
    name: re.Pattern[str]
    arguments: re.Pattern[str]


def _pattern(text: str, flags: re.RegexFlag) -> re.Pattern[str]:
    for part in sorted(_PARTS, key=len, reverse=True):
        text = text.replace(part, _PARTS[part])
    return re.compile(text, flags)


def _shape(needles: str, pattern: str, flags: re.RegexFlag = re.IGNORECASE) -> Shape:
    return Shape(tuple(needles.split()), _pattern(pattern, flags))


def _tool(names: str, marks: str, arguments: str, flags: re.RegexFlag = re.IGNORECASE) -> Tool:
    words = tuple(names.split())
    name = re.compile(rf"(?<![\w-])(?:{'|'.join(words)})(?:\.exe|\.com)?{SEPARATOR}", re.IGNORECASE)
    return Tool(words, tuple(marks.split()), name, _pattern(arguments, flags))


_LINES = re.IGNORECASE | re.MULTILINE
_LITERAL = r"(?P<secret>\"[^\"\r\n]{1,512}\")"
SHAPES: tuple[Shape, ...] = (
    # name=value, name: value, "name": "value", name='value': connection strings, ini, JSON, XML attributes, msiexec properties, SQL
    _shape("password passwd passphrase passwort kennwort contrasena senha pwd", r"@NAME@END@ISN?\\?@BARE"),
    _shape("pass", r"(?<!\w)\w{0,40}?(?<!by)(?<!com)(?<!sur)(?<!tres)pass@END@OPT=@OPT@BARE"),
    _shape("/pass: -pass:", r"[-/]pass:@VALUE"),
    _shape("key secret token community", r"@KEY@END@IS\\?(?P<secret>[\"']?[^\s\"'<>|;&,]{8,512}[\"']?)"),
    # -Password value, --api-key value, -pw value
    _shape("pass pwd secret token key", r"(?<![\w-])-{1,2}[\w-]{0,30}?(?<!by)(?:@NAME|pass|@KEY)@GAP@NEXT@VALUE"),
    _shape("pass pwd kennwort", r"(?<!\S)/\w{0,30}?(?<!by)(?:@NAME|pass)@GAP@NEXT(?![A-Za-z]:\\|\\\\)@VALUE"),
    _shape("sourcekey: destkey:", r"(?<!\S)[-/](?:source|dest)key:@VALUE"),
    _shape("-pw /pw", r"(?<!\w)[-/]{1,2}pw[ \t=]{1,20}@NEXT@VALUE"),
    # names that end in pw: set PW=value, $pw = 'value', ServerPw = "value"; kix32 script $pw=value
    _shape("pw", r"\bset@GAP\"?\w{0,40}?pw@OPT=@OPT(?P<secret>[^\s\"<>|&](?:[^\r\n\"<>|&]{0,510}[^\s\"<>|&])?)"),
    _shape("pw", r"(?<!\w)\w{0,40}?pw@END@IS(?P<secret>\"[^\"\r\n]{1,512}\"|'[^'\r\n]{1,512}')"),
    _shape("pw", r"\$\w{0,40}?pw=(?!\$)@BARE"),
    # VBScript: drive, share, kept, user, password
    _shape("mapnetworkdrive", r"MapNetworkDrive@OPT\(?(?:[^,\r\n]{0,260},){4}@OPT(?P<secret>\"[^\"\r\n]{1,512}\")"),
    # VBScript: computer, namespace, user, password; path, user, password; source, user, password; method, address, wait, user, password
    _shape("connectserver", rf"ConnectServer@OPT\(?(?:[^,\r\n]{{0,260}},){{3}}@OPT{_LITERAL}"),
    _shape("opendsobject", rf"OpenDSObject@OPT\(?(?:[^,\r\n]{{0,260}},){{2}}@OPT{_LITERAL}"),
    _shape(".open", rf"\.Open@OPT\(?@OPT\"[^\"\r\n]{{1,500}}\"@OPT,@OPT\"[^\"\r\n]{{0,128}}\"@OPT,@OPT{_LITERAL}"),
    _shape(".open", rf"\.Open@OPT\(?(?:[^,\r\n]{{0,260}},){{2}}@OPT(?:True|False)@OPT,[^,\r\n]{{1,260}},@OPT{_LITERAL}"),
    _shape("setpassword", rf"\.SetPassword@OPT\(?@OPT{_LITERAL}"),
    _shape("changepassword", rf"\.ChangePassword@OPT\(?@OPT{_LITERAL}"),
    _shape("changepassword", rf"\.ChangePassword@OPT\(?@OPT[^,\r\n]{{1,260}},@OPT{_LITERAL}"),
    _shape("regwrite", rf"RegWrite@OPT\(?@OPT\"[^\"\r\n]{{0,300}}?(?:@NAME|secret)\w{{0,20}}\"@OPT,@OPT{_LITERAL}"),
    # PowerShell's own ways
    _shape(
        "convertto-securestring",
        r"ConvertTo-SecureString(?:@GAP-(?:String|AsPlainText|Force)(?![\w-])){0,3}(?:@GAP|:)@NEXT(?!\$\w{1,60}\b)@VALUE",
    ),
    _shape("convertto-securestring", r"(?P<secret>\"[^\"\r\n]{1,512}\"|'[^'\r\n]{1,512}')@OPT\|@OPT(?=ConvertTo-SecureString)"),
    _shape(
        "credential",
        r"(?:Network|PS)Credential[\"']?\]?(?:::new)?(?:@GAP-ArgumentList)?@OPT\(?@OPT(?:\"[^\"\r\n]{0,200}\"|'[^'\r\n]{0,200}'|\$[\w.]{1,60})@OPT,@OPT@VALUE",
    ),
    # registry writers
    _shape("/d", r"/v@GAP\"?\w{0,40}?(?:@NAME|secret)\w{0,20}\"?@GAP(?:/t@GAP\w{1,20}@GAP)?(?:/f@GAP)?/d@GAP@VALUE"),
    _shape("-value", r"-Name@GAP[\"']?\w{0,40}?(?:@NAME|secret)[\"']?@GAP(?:-(?:Property)?Type@GAP\w{1,20}@GAP)?-Value@GAP@VALUE"),
    # XML: <Password>x</Password>, <AdministratorPassword><Value>x</Value>
    _shape(
        "pass pwd secret token key",
        r"<[\w:.-]{0,60}?(?:@NAME|@KEY)(?:\s[^<>]{0,200})?>\s{0,200}(?:<Value>\s{0,200})?(?P<secret>[^<>\s][^<>]{0,4000})(?=</)",
    ),
    # addresses and headers
    _shape("://", r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@\"'<>]{0,128}:(?P<secret>[^\s/@\"'<>]{1,256})@"),
    _shape(
        "authorization",
        r"Authorization[\"']?@OPT[:=]@OPT[\"']?(?:(?:Basic|Bearer|Digest|Negotiate|NTLM|Token)@GAP)?(?P<secret>[^\s\"'<>|]{6,4000})",
    ),
    _shape("bearer", r"\bBearer@GAP(?P<secret>[^\s\"'<>|]{16,4000})"),
    _shape("sig=", r"[?&;]sig=(?P<secret>[^\s\"'<>|&;]{16,512})"),
    # keys that are known by their looks
    _shape("akia asia", r"\b(?P<secret>(?:AKIA|ASIA)[A-Z0-9]{16})\b", re.NOFLAG),
    _shape("ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", r"\b(?P<secret>(?:gh[pousr]_|github_pat_)[A-Za-z0-9_]{30,255})"),
    _shape("xox", r"\b(?P<secret>xox[abeprs]-[A-Za-z0-9-]{10,255})"),
    _shape("sk_live_ rk_live_ sk-", r"\b(?P<secret>(?:[sr]k_live_|sk-)[A-Za-z0-9_-]{20,255})"),
    _shape("aiza", r"\b(?P<secret>AIza[0-9A-Za-z_-]{35})"),
    _shape("eyj", r"\b(?P<secret>eyJ[A-Za-z0-9_-]{10,2000}\.[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{5,1000})", re.NOFLAG),
    # what the Data Protection API wrote, in hex: a fixed header, then anything
    _shape("d08c9ddf0115d1118c7a00c04fc297eb", r"(?P<secret>01000000d08c9ddf0115d1118c7a00c04fc297eb[0-9a-f]{0,200000})"),
    # scripts of Oracle's tools, of Db2, of WinSCP
    _shape("conn", r"\bconn(?:ect)?@GAP(?:(?:target|catalog|auxiliary)@GAP)?@ORACLE(?=@)"),
    _shape("conn", r"^@OPTconn(?:ect)?@GAP(?:(?:target|catalog|auxiliary)@GAP)?@ORACLE(?:@GAP(?:as@GAP\w{1,10})?)?@OPT;?@OPT\r?$", _LINES),
    _shape("using", r"\bconnect@GAP(?:to@GAP@WORD@GAP)?user@GAP@WORD@GAP(?:using)@GAP@VALUE"),
    _shape("open", r"\bopen@GAP[^\s:@/\"'<>|]{1,128}:(?!//)(?P<secret>[^\s@\"'<>|]{1,256})@(?=[\w.-])"),
    # FTP scripts, and batch files that write them
    _shape("user", r"@LINEuser@GAP[^\s<>|&]{1,128}@GAP@LAST", _LINES),
    _shape("pass", r"@LINEpass@GAP@LAST", _LINES),
    _shape(
        "open",
        r"^@OPTopen@GAP[^\s<>|&]{1,255}(?:@GAP\d{1,5})?@OPT\r?\n@OPT(?!(?:user|pass)\b|@FTP)[^\s]{1,128}@OPT\r?\n@OPT(?!@FTP)(?P<secret>[^\s]{1,128})@OPT\r?$",
        _LINES,
    ),
    _shape(
        "open",
        r"^@ECHO@OPTopen@GAP[^\s<>|&]{1,255}(?:@GAP\d{1,5})?@INTO\r?\n@ECHO(?!(?:user|pass)\b|@FTP)[^\s<>|&]{1,128}@INTO\r?\n"
        r"@ECHO(?!@FTP)(?P<secret>[^\s<>|&]{1,128})@INTO\r?$",
        _LINES,
    ),
)
"""Shapes that show themselves."""

TOOLS: tuple[Tool, ...] = (
    _tool(
        "schtasks at tasklist taskkill systeminfo driverquery eventcreate getmac openfiles", "/p /rp", r"(?<!\S)/r?p[ \t:]{1,20}@NEXT@VALUE"
    ),
    _tool("psexec psexec64 paexec pskill pslist psservice psshutdown psinfo psloglist", "-p /p", r"(?<!\S)[-/]p@GAP@NEXT@VALUE"),
    _tool("sshpass smc dsquery dsget certutil signtool pspasswd psloggedon pssuspend", "-p /p", r"(?<!\S)[-/]p@GAP@NEXT@VALUE"),
    _tool("sqlcmd osql isql bcp sqlmaint", "-p /p", r"(?<!\S)[-/]P@OPT@VALUE", re.NOFLAG),
    _tool("mysql mysqldump mysqladmin mysqlimport", "-p", r"(?<!\S)-p@VALUE", re.NOFLAG),
    _tool("7z 7za 7zr rar winrar unrar", "-p -hp", r"(?<!\S)-h?p@VALUE"),
    _tool("wzzip wzunzip", "-s", r"(?<!\S)-s@VALUE"),
    _tool(
        "curl",
        "-",
        r"(?<!\S)(?:-[A-Za-z#]{0,8}u|--(?:proxy-)?user)[ \t=]{0,20}[\"']?[^\s:\"'<>|]{1,128}:(?!//)(?P<secret>[^\s\"'<>|]{1,256})",
    ),
    _tool("lftp", "-u --user", r"(?<!\S)(?:-u|--user)[ \t=]{0,20}[\"']?[^\s,\"'<>|]{1,128},(?P<secret>[^\s\"'<>|]{1,256})"),
    _tool(
        "smbclient smbget rpcclient smbcacls",
        "-u --user",
        r"(?<!\S)(?:-U|--user)[ \t=]{0,20}[\"']?[^\s%\"'<>|]{0,127}[^\s%\"'<>|\\/]%(?P<secret>[^\s\"'<>|]{1,256})",
    ),
    _tool("winrs winrm wevtutil netdom mount", "-p /p", r"(?<!\S)[-/]p(?:assword)?[do]?:@VALUE"),
    _tool("ncftp ncftpput ncftpget ncftpls vcbmounter vmware-cmd rdesktop", "-p", r"(?<!\S)-p@GAP@NEXT@VALUE"),
    _tool("docker podman az", "login", r"^@OPT(?:\w{1,20}@GAP)?login\b[^\r\n<>|]{0,300}?[ \t]-p@GAP@NEXT@VALUE"),
    _tool("esxcli vcli ipmitool p4", "-p", r"(?<!\S)-p@GAP@NEXT@VALUE"),
    _tool("zip unzip", "-p", r"(?<!\S)-P@GAP@NEXT@VALUE", re.NOFLAG),
    _tool("openssl", "-k", r"(?<!\S)-k@GAP@NEXT@VALUE", re.NOFLAG),
    _tool("snmpget snmpset snmpwalk snmpbulkwalk snmptrap", "-c -a -x", r"(?<!\S)-[cAX]@GAP@NEXT@VALUE", re.NOFLAG),
    _tool("nssm", "objectname", r"\bObjectName@GAP@WORD@GAP@VALUE"),
    _tool("vaultcmd", "/authenticator:", r"/authenticator:@VALUE"),
    _tool("tf", "login", r"[-/]login:[^\s,\"'<>|]{1,128},(?P<secret>[^\s\"'<>|]{1,256})"),
    _tool("dsmc dsmadmc", "-pas", r"(?<!\S)-pas\w{0,5}=@VALUE"),
    _tool("rman", "target catalog auxiliary", r"(?<!\S)(?:target|(?:rcv)?cat(?:alog)?|auxiliary)@OPT=?@OPT@ORACLE(?=@|\s|$)"),
    _tool("openssl", "pass:", r"(?<!\S)-pass(?:in|out)?@GAPpass:@VALUE"),
    _tool("dtexec dtutil", "/de", r"(?<!\S)/De(?:crypt)?@GAP@VALUE"),
    _tool("sendemail", "-xp", r"(?<!\S)-xp@GAP@VALUE"),
    _tool("ldifde csvde", "-b", r"(?<!\S)-b@GAP@WORD@GAP@WORD@GAP@VALUE"),
    _tool("bitsadmin", "/setcredentials", r"/setcredentials@GAP@WORD@GAP\w{1,20}@GAP\w{1,20}@GAP@WORD@GAP@VALUE"),
    _tool("rasdial", "", r"^@OPT@WORD@GAP(?!/)@WORD@GAP(?!/)@VALUE"),
    _tool("autologon autologon64", "", r"^@OPT(?:/accepteula@GAP)?(?!/)@WORD@GAP@WORD@GAP@VALUE"),
    _tool(
        "sqlplus sqlldr exp imp expdp impdp",
        "",
        r"(?:^@OPT(?:-\w{1,20}@GAP){0,4}|\buserid@OPT=@OPT)@ORACLE(?=@|\s|$)",
    ),
    _tool("net net1", "user", r"^@OPTuser@GAP(?!/)@WORD@GAP(?!/|\*)@VALUE"),
)
"""Programs and what in their arguments is a secret; `net use` has a reader of its own in `redact`."""
