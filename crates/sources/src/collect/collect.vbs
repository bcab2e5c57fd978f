' Collects what hvmigrate needs to know of this Hyper-V host into a new folder: the registry hives SYSTEM and SOFTWARE, the
' configurations of the virtual machines, the authorization store, answers to WMI queries, a list of the files that are used,
' and checksums. It writes into that folder and nowhere else; virtual hard disks are listed and not copied.
'
'   cscript //nologo collect.vbs E:\collected
'
' Windows Server 2008 SP2 and later, Server Core too; run it as administrator. Then, on the computer with hvmigrate:
'
'   hvmigrate assess --from folder:/path/to/collected --to ...
'
' The folder holds the hives of the host: whoever reads them learns its configuration. Treat it as confidential.
Option Explicit

Const UNICODE_FILE = True
Const CIM_XML = 1
Const V1 = "root\virtualization"
Const V2 = "root\virtualization\v2"
Const CIMV2 = "root\cimv2"
' WBEM_E_NOT_FOUND and WBEM_E_INVALID_CLASS.
Const NOT_FOUND = &H80041002
Const INVALID_CLASS = &H80041010
' Objects in one file of answers.
Const PART = 2000
' A method that may go on in a job; what it has told by then counts.
Const JOB_STARTED = 4096
' Bytes of the state of a machine that is off; the one that was seen has 45 KiB.
Const SMALL_STATE = 4194304
' SHA-256 of an empty file, of which certutil tells none.
Const SUM_OF_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
Const DCOM_USERS = "S-1-5-32-562"

Dim fso, shell, outFolder, journal, listed, seen, linked, disks, failures, tempFile
Set fso = CreateObject("Scripting.FileSystemObject")
Set shell = CreateObject("WScript.Shell")
Set seen = CreateObject("Scripting.Dictionary")
Set linked = CreateObject("Scripting.Dictionary")
Set disks = CreateObject("Scripting.Dictionary")
Set journal = Nothing
failures = 0
WScript.Quit Main()

Function Main()
  Main = 1
  If WScript.Arguments.Count <> 1 Then
    WScript.Echo "Usage: cscript //nologo collect.vbs FOLDER" & vbCrLf & "FOLDER is made; it must not be there yet."
    Main = 2
    Exit Function
  End If
  outFolder = FolderOf(WScript.Arguments(0))
  If fso.FolderExists(outFolder) Or fso.FileExists(outFolder) Then
    WScript.Echo "'" & outFolder & "' is already there. Name a folder that is not, so that nothing old is taken for new."
    Exit Function
  End If
  MakeFolder outFolder
  If Not fso.FolderExists(outFolder) Then
    WScript.Echo "'" & outFolder & "' cannot be made. Name a folder on a drive that can be written."
    Exit Function
  End If
  tempFile = outFolder & "\collecting.tmp"
  Set journal = fso.CreateTextFile(outFolder & "\collect.log", True, UNICODE_FILE)
  Set listed = fso.CreateTextFile(outFolder & "\files.txt", True, UNICODE_FILE)
  listed.WriteLine "hvmigrate-collection" & vbTab & "1"

  Tell "Registry hives"
  SaveHive "SYSTEM"
  SaveHive "SOFTWARE"
  Tell "Configurations of virtual machines"
  Configurations
  Tell "Authorization store"
  AuthorizationStore
  ListFile Expand("%SystemRoot%\explorer.exe")
  ListFile Expand("%SystemRoot%\Cluster\CLUSDB")
  Tell "Answers to WMI queries"
  Answers
  listed.WriteLine "end" & vbTab & seen.Count
  listed.Close
  Tell "Checksums"
  If fso.FileExists(tempFile) Then fso.DeleteFile tempFile, True
  journal.WriteLine "Checksums follow; " & failures & " failures so far."
  journal.Close
  Set journal = Nothing
  Checksums
  If fso.FileExists(tempFile) Then fso.DeleteFile tempFile, True
  If failures = 0 Then
    WScript.Echo "Done. Copy '" & outFolder & "' to the computer with hvmigrate."
    Main = 0
  Else
    WScript.Echo failures & " things could not be collected. The lines above say which and why."
  End If
End Function

' --- telling

Sub Tell(what)
  WScript.Echo what & " ..."
  Note what
End Sub

Sub Note(text)
  If Not journal Is Nothing Then journal.WriteLine text
End Sub

Sub Failed(what, reason)
  failures = failures + 1
  WScript.Echo "  FAILED: " & what & ": " & reason
  Note "FAILED: " & what & ": " & reason
End Sub

Function Reason(number, description)
  Reason = "0x" & Right("00000000" & Hex(number), 8) & ": " & Trim(Replace(Replace(description, vbCr, " "), vbLf, " "))
End Function

' --- files

' Some script hosts leave the end of the text in it.
Function Expand(text)
  Expand = Replace(shell.ExpandEnvironmentStrings(text), Chr(0), "")
End Function

' A folder as it was asked for: whole, without '..' and a '\' at its end. Some script hosts take the end of "E:\x\" for a quote.
Function FolderOf(text)
  FolderOf = Replace(text, """", "")
  If Not IsLocal(FolderOf) Or InStr(FolderOf, "\.") > 0 Or InStr(FolderOf, "\\") > 0 Or InStr(FolderOf, "/") > 0 Then
    FolderOf = fso.GetAbsolutePathName(FolderOf)
  End If
  Do While Right(FolderOf, 1) = "\" And Len(FolderOf) > 3
    FolderOf = Left(FolderOf, Len(FolderOf) - 1)
  Loop
End Function

Sub MakeFolder(path)
  Dim parent
  If fso.FolderExists(path) Then Exit Sub
  parent = fso.GetParentFolderName(path)
  If parent <> "" Then MakeFolder parent
  On Error Resume Next
  fso.CreateFolder path
End Sub

' Where a file of the host is put: C:\x\y is OUT\C\x\y.
Function PlaceOf(path)
  PlaceOf = outFolder & "\" & UCase(Left(path, 1)) & Mid(path, 3)
End Function

Function IsLocal(path)
  IsLocal = (Mid(path, 2, 2) = ":\")
End Function

Function Stamp(moment)
  Stamp = Year(moment) & Two(Month(moment)) & Two(Day(moment)) & Two(Hour(moment)) & Two(Minute(moment)) & Two(Second(moment))
End Function

Function Two(number)
  Two = Right("0" & number, 2)
End Function

' True the first time.
Function IsNew(path)
  IsNew = Not seen.Exists(LCase(path))
  If IsNew Then seen.Add LCase(path), True
End Function

' A line for a file that is there, whether or not its content was taken.
Sub FileLine(path, how)
  Dim file
  On Error Resume Next
  Set file = fso.GetFile(path)
  If Err.Number = 0 Then
    listed.WriteLine "file" & vbTab & file.Size & vbTab & Stamp(file.DateLastModified) & vbTab & how & vbTab & path
  End If
End Sub

' Lists a file without taking its content.
Sub ListFile(path)
  If Not IsLocal(path) Then Exit Sub
  If Not fso.FileExists(path) Then Exit Sub
  If IsNew(path) Then FileLine path, "listed"
End Sub

' Takes a file as it is.
Sub CopyFile(path)
  Dim number, text
  If Not IsLocal(path) Then Exit Sub
  If Not fso.FileExists(path) Then Exit Sub
  If Not IsNew(path) Then Exit Sub
  MakeFolder fso.GetParentFolderName(PlaceOf(path))
  On Error Resume Next
  fso.CopyFile path, PlaceOf(path), False
  number = Err.Number
  text = Err.Description
  On Error GoTo 0
  If number = 0 Then
    FileLine path, "collected"
  Else
    Failed path, Reason(number, text)
    FileLine path, "listed"
  End If
End Sub

Sub SaveHive(name)
  Dim path, code
  path = Expand("%SystemRoot%\System32\config\") & name
  MakeFolder fso.GetParentFolderName(PlaceOf(path))
  code = shell.Run("%ComSpec% /c reg.exe save HKLM\" & name & " """ & PlaceOf(path) & """ > """ & tempFile & """ 2>&1", 0, True)
  If IsNew(path) Then
    If code = 0 And fso.FileExists(PlaceOf(path)) Then
      listed.WriteLine "file" & vbTab & fso.GetFile(PlaceOf(path)).Size & vbTab & Stamp(Now) & vbTab & "collected" & vbTab & path
    Else
      Failed "hive " & name, "'reg save' ended with " & code & ": " & Trim(ReadAll(tempFile)) & " Run this as administrator."
    End If
  End If
End Sub

Function ReadAll(path)
  Dim stream
  ReadAll = ""
  On Error Resume Next
  Set stream = fso.OpenTextFile(path, 1, False, 0)
  ReadAll = Replace(Replace(stream.ReadAll, vbCr, " "), vbLf, " ")
  stream.Close
End Function

' The lines of a file; nothing where it cannot be read. 0 is the code page of the host, -1 UTF-16.
Function LinesOf(path, coding)
  Dim stream
  LinesOf = Array()
  On Error Resume Next
  Set stream = fso.OpenTextFile(path, 1, False, coding)
  If Err.Number <> 0 Then Exit Function
  LinesOf = Split(Replace(stream.ReadAll, vbCr, ""), vbLf)
  stream.Close
End Function

' --- configurations

Sub Configurations()
  Dim root, folder
  root = ReadValue("HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Virtualization\DefaultExternalDataRoot")
  For Each folder In Array(Expand("%ProgramData%\Microsoft\Windows\Hyper-V"), root)
    If folder <> "" Then
      ConfigurationFolder fso.BuildPath(folder, "Virtual Machines")
      ConfigurationFolder fso.BuildPath(folder, "Snapshots")
    End If
  Next
  ' The list of machines of 2016 and later, and Hyper-V's own copies of their configurations.
  CopyFile Expand("%ProgramData%\Microsoft\Windows\Hyper-V\data.vmcx")
  ConfigurationFolder Expand("%ProgramData%\Microsoft\Windows\Hyper-V\Virtual Machines Cache")
  Elsewhere
End Sub

' Configurations of 2016 and later are in files that a script cannot read: what Hyper-V says of them names their folders and disks.
Sub Elsewhere()
  Dim service, object, own, snapshots, paths, path
  If Not fso.FileExists(Expand("%ProgramData%\Microsoft\Windows\Hyper-V\data.vmcx")) Then Exit Sub
  Set service = Connect(V2)
  If service Is Nothing Then
    Failed V2, "the namespace cannot be opened, so machines outside of the usual folders are not found"
    Exit Sub
  End If
  On Error Resume Next
  For Each object In service.ExecQuery("SELECT * FROM Msvm_VirtualSystemSettingData")
    If Err.Number <> 0 Then Exit For
    own = object.ConfigurationDataRoot
    snapshots = object.SnapshotDataRoot
    If Err.Number <> 0 Then Exit For
    ' What cannot be read of one machine was told, and does not end the others.
    If Not IsNull(own) Then
      ConfigurationFolder fso.BuildPath(own, "Virtual Machines")
      Err.Clear
      ConfigurationFolder fso.BuildPath(own, "Snapshots")
      Err.Clear
    End If
    If Not IsNull(snapshots) Then ConfigurationFolder fso.BuildPath(snapshots, "Snapshots")
    Err.Clear
  Next
  If Err.Number <> 0 Then Failed "folders of machines", Reason(Err.Number, Err.Description)
  Err.Clear
  For Each object In service.ExecQuery("SELECT * FROM Msvm_StorageAllocationSettingData")
    If Err.Number <> 0 Then Exit For
    paths = object.HostResource
    If Err.Number <> 0 Then Exit For
    If IsArray(paths) Then
      For Each path In paths
        Named path
        Err.Clear
      Next
    End If
  Next
  If Err.Number <> 0 Then Failed "disks of machines", Reason(Err.Number, Err.Description)
End Sub

Sub ConfigurationFolder(path)
  Dim file
  If Not fso.FolderExists(path) Then Exit Sub
  If Not IsNew(path & "\") Then Exit Sub
  If Not IsLocal(path) Then
    Failed path, "it is on no drive of this host; what is in it is not taken"
    Exit Sub
  End If
  listed.WriteLine "folder" & vbTab & path
  Links path
  On Error Resume Next
  For Each file In fso.GetFolder(path).Files
    If Err.Number <> 0 Then Exit For
    Configuration file.Path
    Err.Clear
  Next
  If Err.Number <> 0 Then
    Failed path, Reason(Err.Number, Err.Description)
    Exit Sub
  End If
  Enter path
End Sub

' A file of a folder of configurations: configurations are taken, all else is listed.
Sub Configuration(path)
  Select Case LCase(fso.GetExtensionName(path))
    Case "xml"
      CopyFile path
      FilesOf path
    Case "vmcx"
      CopyFile path
    Case "vmrs"
      ' That of a machine that is off is small; that of a saved one has all its memory.
      If SizeOf(path) < SMALL_STATE Then CopyFile path Else ListFile path
    Case Else
      ListFile path
  End Select
End Sub

' Links of a folder: the only program of every release that tells where they lead is dir, which DIRCMD would change. Its answer is
' read to the end first: for the folder that a link leads to it is written anew.
Sub Links(path)
  Dim lines, line, after, bracket, name, target
  On Error Resume Next
  fso.DeleteFile tempFile, True
  If fso.FileExists(tempFile) Then
    Failed path, "its links are not told: '" & tempFile & "' is in use"
    Exit Sub
  End If
  shell.Run "%ComSpec% /u /c set DIRCMD=& dir /al """ & path & """ > """ & tempFile & """ 2>nul", 0, True
  lines = LinesOf(tempFile, -1)
  If UBound(lines) < 0 Then Failed path, "its links are not told: 'dir' said nothing"
  For Each line In lines
    after = InStr(line, ">")
    bracket = InStrRev(line, " [")
    If InStr(line, "<") > 0 And bracket > after And Right(line, 1) = "]" Then
      name = fso.BuildPath(path, Trim(Mid(line, after + 1, bracket - after - 1)))
      target = Mid(line, bracket + 2, Len(line) - bracket - 2)
      If Left(target, 4) = "\??\" Then target = Mid(target, 5)
      ' Other releases and languages have other words for what is no symbolic link; a volume in a folder leads to no path.
      If InStr(line, "<SYMLINK") > 0 Or IsLocal(target) Then
        If IsNew(name) Then listed.WriteLine "link" & vbTab & name & vbTab & target
        linked(LCase(name)) = True
        Follow TargetOf(path, target)
      End If
    End If
  Next
End Sub

' Where a link of a folder leads: its target may be told from that folder on, or from the root of its drive.
Function TargetOf(path, target)
  If IsLocal(target) Or Left(target, 2) = "\\" Then
    TargetOf = target
  ElseIf Left(target, 1) = "\" Then
    TargetOf = Left(path, 2) & target
  Else
    TargetOf = fso.GetAbsolutePathName(fso.BuildPath(path, target))
  End If
End Function

Sub Follow(target)
  If LCase(fso.GetExtensionName(target)) = "xml" Then
    CopyFile target
    FilesOf target
    Siblings fso.GetParentFolderName(target)
  ElseIf fso.FolderExists(target) Then
    ConfigurationFolder target
  End If
End Sub

' Folders of a folder whose links are known. Links are not entered: where they lead is listed by itself.
Sub Enter(path)
  Dim below
  On Error Resume Next
  For Each below In fso.GetFolder(path).SubFolders
    If Err.Number <> 0 Then Exit For
    If Not linked.Exists(LCase(fso.BuildPath(path, below.Name))) Then ConfigurationFolder below.Path
    Err.Clear
  Next
  If Err.Number <> 0 Then Failed path, Reason(Err.Number, Err.Description)
End Sub

' What lies beside a configuration that a link leads to: folders of saved states, and checkpoints.
Sub Siblings(path)
  If Not IsLocal(path) Then Exit Sub
  ' Its own files are no part of this: the folder itself may be one of configurations, and is listed as such then.
  If Not IsNew(path & "\*") Then Exit Sub
  listed.WriteLine "folder" & vbTab & path
  Links path
  Enter path
  If fso.FolderExists(fso.GetParentFolderName(path) & "\Snapshots") Then ConfigurationFolder fso.GetParentFolderName(path) & "\Snapshots"
End Sub

' Disks and images that a configuration names.
Sub FilesOf(path)
  Dim document, node, copy
  copy = path
  ' What is in the collection is what is read, also when the host changes its own meanwhile.
  If IsLocal(path) Then copy = PlaceOf(path)
  If Not fso.FileExists(copy) Then copy = path
  On Error Resume Next
  Set document = CreateObject("MSXML2.DOMDocument")
  document.async = False
  If Not document.load(copy) Then
    Failed path, document.parseError.reason
    Exit Sub
  End If
  If Err.Number <> 0 Then
    Failed path, Reason(Err.Number, Err.Description)
    Exit Sub
  End If
  For Each node In document.getElementsByTagName("pathname")
    Named node.text
  Next
End Sub

' A disk or an image that a machine names.
Sub Named(text)
  Dim name
  name = Expand(text)
  Select Case LCase(fso.GetExtensionName(name))
    Case "vhd", "avhd", "vhdx", "avhdx"
      ListDisk name
    Case Else
      ListFile name
  End Select
End Sub

Function SizeOf(path)
  SizeOf = 0
  On Error Resume Next
  SizeOf = fso.GetFile(path).Size
End Function

Sub ListDisk(path)
  If Not disks.Exists(LCase(path)) Then disks.Add LCase(path), path
  ListFile path
End Sub

Function ReadValue(name)
  ReadValue = ""
  On Error Resume Next
  ReadValue = Expand(shell.RegRead(name))
End Function

Sub AuthorizationStore()
  Dim location
  location = ReadValue("HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Virtualization\StoreLocation")
  If LCase(Left(location, 8)) = "msxml://" Then
    location = Mid(location, 9)
  ElseIf location = "" Then
    location = Expand("%ProgramData%\Microsoft\Windows\Hyper-V\InitialStore.xml")
  End If
  CopyFile Replace(location, "/", "\")
End Sub

' --- WMI

Function Connect(space)
  Set Connect = Nothing
  On Error Resume Next
  Set Connect = GetObject("winmgmts:{impersonationLevel=impersonate,(security)}!\\.\" & space)
End Function

Sub Answers()
  Dim service, newer, class_
  Set service = Connect(CIMV2)
  If service Is Nothing Then
    Failed CIMV2, "the namespace cannot be opened"
  Else
    For Each class_ In Array("Win32_OperatingSystem", "Win32_ComputerSystem", "Win32_NetworkAdapter", _
        "Win32_NetworkAdapterConfiguration", "Win32_LogicalDisk", "Win32_DiskDrive")
      Ask service, CIMV2, class_
    Next
    AskOptional service, CIMV2, "Win32_ServerFeature"
    Members service
    Security service, CIMV2
  End If
  Set service = Connect(V1)
  If Not service Is Nothing Then Security service, V1
  Set newer = Connect(V2)
  ' Releases without the first version have its namespace still, because that of the second one is below it.
  If Not HasMachines(service) Then
    If Not service Is Nothing And newer Is Nothing Then Failed V1, "it has no classes of Hyper-V, and there is no " & V2
    Set service = Nothing
  End If
  If Not service Is Nothing Then
    For Each class_ In Array("Msvm_VirtualSwitch", "Msvm_SwitchPort", "Msvm_VLANEndpoint", "Msvm_VLANEndpointSettingData", _
        "Msvm_ExternalEthernetPort", "Msvm_InternalEthernetPort", "Msvm_VirtualSystemManagementServiceSettingData", _
        "Msvm_ComputerSystem", "Msvm_VirtualSystemSettingData", "Msvm_VirtualSystemGlobalSettingData")
      Ask service, V1, class_
    Next
    AskLinks service, V1, "Msvm_BindsTo", "Msvm_SwitchPort"
    AskLinks service, V1, "Msvm_ActiveConnection", "Msvm_SwitchPort"
    AskLinks service, V1, "Msvm_NetworkElementSettingData", "Msvm_VLANEndpoint"
    AskLinks service, V1, "Msvm_GlobalEthernetPortSAPImplementation", "Msvm_SwitchLANEndpoint"
  End If
  If Not newer Is Nothing Then
    For Each class_ In Array("Msvm_VirtualSystemManagementServiceSettingData", "Msvm_ExternalEthernetPort", _
        "Msvm_InternalEthernetPort", "Msvm_ComputerSystem", "Msvm_VirtualSystemSettingData", _
        "Msvm_EthernetSwitchPortVlanSettingData", "Msvm_EthernetSwitchPortSecuritySettingData", _
        "Msvm_EthernetSwitchPortOffloadSettingData", "Msvm_EthernetSwitchPortBandwidthSettingData", _
        "Msvm_VirtualEthernetSwitch", "Msvm_EthernetPortAllocationSettingData")
      Ask newer, V2, class_
    Next
    AskLinks newer, V2, "Msvm_ActiveConnection", "Msvm_LANEndpoint"
    AskLinks newer, V2, "Msvm_EthernetDeviceSAPImplementation", "Msvm_LANEndpoint"
    Security newer, V2
  End If
  DiskInfo service, newer
End Sub

' False where the namespace has not the classes of Hyper-V; any other error is told by whoever asks for them.
Function HasMachines(service)
  Dim class_
  HasMachines = False
  If service Is Nothing Then Exit Function
  On Error Resume Next
  Set class_ = service.Get("Msvm_VirtualSystemManagementService")
  HasMachines = (Err.Number <> NOT_FOUND And Err.Number <> INVALID_CLASS)
End Function

Function AnswerPath(space, name)
  Dim folder
  folder = outFolder & "\wmi\" & Replace(space, "\", ".")
  MakeFolder folder
  AnswerPath = folder & "\" & name
End Function

Sub WriteError(space, name, why)
  Dim stream
  Set stream = fso.CreateTextFile(AnswerPath(space, name & ".error.txt"), True, UNICODE_FILE)
  stream.WriteLine why
  stream.Close
End Sub

' Writes objects into files of at most PART objects; the text of an error, or nothing.
Function WriteObjects(query, space, name)
  Dim object, stream, count, file
  WriteObjects = ""
  count = 0
  file = 1
  Set stream = BeginAnswers(space, name & ".xml")
  On Error Resume Next
  For Each object In query
    If Err.Number <> 0 Then Exit For
    If count = PART Then
      EndAnswers stream
      file = file + 1
      count = 0
      Set stream = BeginAnswers(space, name & "." & file & ".xml")
    End If
    stream.WriteLine object.GetText_(CIM_XML)
    count = count + 1
    If Err.Number <> 0 Then Exit For
  Next
  If Err.Number <> 0 Then WriteObjects = Reason(Err.Number, Err.Description)
  EndAnswers stream
End Function

Function BeginAnswers(space, file)
  Set BeginAnswers = fso.CreateTextFile(AnswerPath(space, file), True, UNICODE_FILE)
  BeginAnswers.WriteLine "<ANSWERS NAMESPACE=""" & space & """>"
End Function

Sub EndAnswers(stream)
  stream.WriteLine "</ANSWERS>"
  stream.Close
End Sub

Sub Ask(service, space, class_)
  Dim why
  why = Query(service, space, class_, "SELECT * FROM " & class_)
  If why <> "" Then
    WriteError space, class_, why
    Failed space & ":" & class_, why
  End If
End Sub

' For classes that not every release has.
Sub AskOptional(service, space, class_)
  Dim why
  why = Query(service, space, class_, "SELECT * FROM " & class_)
  If why <> "" Then
    WriteError space, class_, why
    Note space & ":" & class_ & ": " & why
  End If
End Sub

Function Query(service, space, name, wql)
  Dim found
  On Error Resume Next
  Set found = service.ExecQuery(wql)
  If Err.Number <> 0 Then
    Query = Reason(Err.Number, Err.Description)
    Exit Function
  End If
  On Error GoTo 0
  Query = WriteObjects(found, space, name)
End Function

' Associations are asked of each object at their one end: providers need not list them as a class.
Sub AskLinks(service, space, class_, from)
  Dim stream, object, link, why, count, file
  why = ""
  count = 0
  file = 1
  Set stream = BeginAnswers(space, class_ & ".xml")
  On Error Resume Next
  For Each object In service.ExecQuery("SELECT * FROM " & from)
    If Err.Number <> 0 Then Exit For
    For Each link In service.ExecQuery("REFERENCES OF {" & object.Path_.RelPath & "} WHERE ResultClass=" & class_)
      If Err.Number <> 0 Then Exit For
      If count = PART Then
        EndAnswers stream
        file = file + 1
        count = 0
        Set stream = BeginAnswers(space, class_ & "." & file & ".xml")
      End If
      stream.WriteLine link.GetText_(CIM_XML)
      count = count + 1
    Next
    If Err.Number <> 0 Then Exit For
  Next
  If Err.Number <> 0 Then why = Reason(Err.Number, Err.Description)
  On Error GoTo 0
  EndAnswers stream
  If why <> "" Then
    WriteError space, class_, why
    Failed space & ":" & class_, why
  End If
End Sub

Sub Members(service)
  Dim group, path, why
  path = ""
  On Error Resume Next
  For Each group In service.ExecQuery("SELECT * FROM Win32_Group WHERE LocalAccount=TRUE AND SID='" & DCOM_USERS & "'")
    path = group.Path_.RelPath
  Next
  If Err.Number <> 0 Then why = Reason(Err.Number, Err.Description)
  On Error GoTo 0
  If path = "" And why = "" Then why = "there is no local group with the SID " & DCOM_USERS
  If why = "" Then
    why = Query(service, CIMV2, "members-" & DCOM_USERS, _
      "ASSOCIATORS OF {" & path & "} WHERE AssocClass=Win32_GroupUser Role=GroupComponent")
  End If
  If why <> "" Then
    WriteError CIMV2, "members-" & DCOM_USERS, why
    Failed "members of Distributed COM Users", why
  End If
End Sub

Sub Security(service, space)
  Dim object, bytes, code, index, text, stream, why
  why = ""
  On Error Resume Next
  Set object = service.Get("__SystemSecurity=@")
  If Err.Number = 0 Then code = object.GetSD(bytes)
  If Err.Number <> 0 Then
    why = Reason(Err.Number, Err.Description)
  ElseIf code <> 0 Then
    why = "GetSD answered " & code
  End If
  If why = "" Then
    text = ""
    For index = LBound(bytes) To UBound(bytes)
      text = text & "<VALUE>" & CInt(bytes(index)) & "</VALUE>"
    Next
    If Err.Number <> 0 Then why = Reason(Err.Number, Err.Description)
  End If
  On Error GoTo 0
  If why = "" Then
    Set stream = BeginAnswers(space, "security.xml")
    stream.WriteLine "<INSTANCE CLASSNAME=""__SystemSecurity""><PROPERTY.ARRAY NAME=""SD"" TYPE=""uint8""><VALUE.ARRAY>" & text & _
      "</VALUE.ARRAY></PROPERTY.ARRAY></INSTANCE>"
    EndAnswers stream
  Else
    WriteError space, "security", why
    Failed "rights on " & space, why
  End If
End Sub

' What Hyper-V says of each disk and of its parents, without their content being read. The first version of its classes knows no
' VHDX and is asked only where the second one is not.
Sub DiskInfo(older, newer)
  Dim image, space, class_, stream, paths, index, path, info, parent
  If disks.Count = 0 Then Exit Sub
  space = V2
  class_ = "Msvm_VirtualHardDiskSettingData"
  Set image = ImageService(newer)
  If image Is Nothing Then
    space = V1
    class_ = "Msvm_VirtualHardDiskInfo"
    Set image = ImageService(older)
  End If
  If image Is Nothing Then
    Failed "virtual hard disks", "there is no Msvm_ImageManagementService"
    Exit Sub
  End If
  Set stream = BeginAnswers(space, "disks.xml")
  index = 0
  Do While index < disks.Count
    paths = disks.Items
    path = paths(index)
    info = InfoOf(image, space, path)
    If info <> "" Then
      ' The path as it was asked for comes first.
      stream.WriteLine Replace(info, "<INSTANCE CLASSNAME=""" & class_ & """>", "<INSTANCE CLASSNAME=""" & class_ & _
        """><PROPERTY NAME=""Path"" TYPE=""string""><VALUE>" & Escape(path) & "</VALUE></PROPERTY>", 1, 1)
      parent = ParentOf(info)
      If parent <> "" Then ListDisk parent
    End If
    index = index + 1
  Loop
  EndAnswers stream
End Sub

Function ImageService(service)
  Dim found
  Set ImageService = Nothing
  If service Is Nothing Then Exit Function
  On Error Resume Next
  For Each found In service.ExecQuery("SELECT * FROM Msvm_ImageManagementService")
    If Err.Number <> 0 Then Exit For
    Set ImageService = found
  Next
End Function

Function InfoOf(image, space, path)
  Dim given, answer, code
  InfoOf = ""
  On Error Resume Next
  If space = V2 Then
    Set given = image.Methods_("GetVirtualHardDiskSettingData").InParameters.SpawnInstance_()
    given.Path = path
    Set answer = image.ExecMethod_("GetVirtualHardDiskSettingData", given)
    If Err.Number = 0 Then InfoOf = "" & answer.SettingData
  Else
    Set given = image.Methods_("GetVirtualHardDiskInfo").InParameters.SpawnInstance_()
    given.Path = path
    Set answer = image.ExecMethod_("GetVirtualHardDiskInfo", given)
    If Err.Number = 0 Then InfoOf = "" & answer.Info
  End If
  If Err.Number = 0 Then code = answer.ReturnValue
  If Err.Number <> 0 Then
    Failed path, Reason(Err.Number, Err.Description)
    InfoOf = ""
  ElseIf code <> 0 And code <> JOB_STARTED Or InfoOf = "" Then
    Failed path, "Hyper-V does not describe it and answered " & code
    InfoOf = ""
  End If
End Function

Function ParentOf(info)
  Dim document, node
  ParentOf = ""
  On Error Resume Next
  Set document = CreateObject("MSXML2.DOMDocument")
  document.async = False
  document.loadXML info
  Set node = document.selectSingleNode("//PROPERTY[@NAME='ParentPath']/VALUE")
  ParentOf = node.text
End Function

Function Escape(text)
  Escape = Replace(Replace(Replace(text, "&", "&amp;"), "<", "&lt;"), ">", "&gt;")
End Function

' --- checksums

Sub Checksums()
  Dim stream
  Set stream = fso.CreateTextFile(outFolder & "\checksums.txt", True, UNICODE_FILE)
  SumFolder fso.GetFolder(outFolder), "", stream
  stream.WriteLine "end"
  stream.Close
End Sub

' Names are told from the folder of the collection on: 'within' is that of this folder, with a '\' at its end.
Sub SumFolder(folder, within, stream)
  Dim file, below, sum
  For Each file In folder.Files
    If LCase(file.Name) <> "checksums.txt" And LCase(file.Name) <> "collecting.tmp" Then
      If file.Size = 0 Then sum = "SHA256" & vbTab & SUM_OF_NOTHING Else sum = SumOf(file.Path)
      If sum = "" Then
        Failed file.Path, "certutil gave no checksum"
      Else
        stream.WriteLine sum & vbTab & within & file.Name
      End If
    End If
  Next
  For Each below In folder.SubFolders
    SumFolder below, within & below.Name & "\", stream
  Next
End Sub

' "SHA256" and its digits; "SHA1" where certutil knows no other, and where it does not take the name of one.
Function SumOf(path)
  SumOf = SumBy(path, "SHA256", "SHA256", 64)
  If SumOf = "" Then SumOf = SumBy(path, "SHA1", "SHA1", 40)
  If SumOf = "" Then SumOf = SumBy(path, "", "SHA1", 40)
End Function

Function SumBy(path, argument, algorithm, digits)
  Dim code, lines, line
  SumBy = ""
  code = shell.Run("%ComSpec% /c certutil.exe -hashfile """ & path & """ " & argument & " > """ & tempFile & """ 2>&1", 0, True)
  If code <> 0 Then Exit Function
  lines = LinesOf(tempFile, 0)
  For Each line In lines
    line = LCase(Replace(Trim(line), " ", ""))
    If Len(line) = digits And IsHex(line) Then SumBy = algorithm & vbTab & line
  Next
End Function

Function IsHex(text)
  Dim index
  IsHex = True
  For index = 1 To Len(text)
    If InStr("0123456789abcdef", Mid(text, index, 1)) = 0 Then IsHex = False
  Next
End Function
